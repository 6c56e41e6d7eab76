//! The further names by which a user may know a value.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use convscope_runtime::NetworkBuilder;
use convscope_runtime::network::ValueId;

use crate::graph::GraphNode;

/// The key under which `PyTorch`'s newer exporter keeps the module path.
const NAME_SCOPES: &str = "pkg.torch.onnx.name_scopes";
/// How many similar names an error lists.
const NEAREST: usize = 3;

/// How many modules within each other are named, from the innermost on.
const DEPTH: usize = 32;

/// The further names that values claim.
///
/// A name of the file goes to its value. A name that is derived, such as the path of a module, may
/// be claimed by several, such as all nodes within the module: then the value that no other
/// claimant reads has it, which is what the module hands out, and nobody where that leaves more
/// than one.
#[derive(Debug, Default)]
pub(crate) struct Aliases<'m> {
    own: Vec<(&'m str, ValueId)>,
    derived: [BTreeMap<String, Vec<Claim>>; 3],
}

#[derive(Debug)]
struct Claim {
    value: ValueId,
    reads: Rc<BTreeSet<ValueId>>,
}

impl<'m> Aliases<'m> {
    /// Notes all names of a node that makes `value`, or hands it on.
    pub(crate) fn claim(
        &mut self,
        node: &GraphNode<'m>,
        output: &'m str,
        value: ValueId,
        reads: &[ValueId],
    ) {
        self.own.extend([(node.name, value), (output, value)]);
        let metadata = &node.proto.metadata_props;
        let scopes = metadata.iter().find(|entry| entry.key == NAME_SCOPES);
        let weights = node.proto.input.iter().skip(1).filter_map(|name| stem(name));
        let derived = [
            scopes.map(|entry| scopes_in(&entry.value)).unwrap_or_default(),
            module_paths(&node.proto.name),
            weights.map(str::to_owned).collect(),
        ];
        let reads: Rc<BTreeSet<ValueId>> = Rc::new(reads.iter().copied().collect());
        for (names, claims) in derived.into_iter().zip(&mut self.derived) {
            for name in names {
                let claim = Claim { value, reads: Rc::clone(&reads) };
                claims.entry(name).or_default().push(claim);
            }
        }
    }

    /// Notes the name of a further output; the node's names go to its first.
    pub(crate) fn claim_further(&mut self, output: &'m str, value: ValueId) {
        self.own.push((output, value));
    }

    /// Gives every value its further names. Names of the file come first.
    pub(crate) fn give(&self, builder: &mut NetworkBuilder) {
        for &(name, value) in &self.own {
            builder.alias(name, value);
        }
        for (name, claims) in self.derived.iter().flatten() {
            if let Some(value) = handed_out(claims) {
                builder.alias(name, value);
            }
        }
    }
}

/// Returns the one value that no other claimant reads.
fn handed_out(claims: &[Claim]) -> Option<ValueId> {
    let mut readers: BTreeMap<ValueId, usize> = BTreeMap::new();
    for value in claims.iter().flat_map(|claim| claim.reads.iter()) {
        *readers.entry(*value).or_default() += 1;
    }
    let is_end = |claim: &&Claim| {
        // A node that hands a value on reads it itself.
        let own = usize::from(claim.reads.contains(&claim.value));
        readers.get(&claim.value).copied().unwrap_or(0) == own
    };
    let ends: BTreeSet<ValueId> = claims.iter().filter(is_end).map(|claim| claim.value).collect();
    if ends.len() == 1 { ends.first().copied() } else { None }
}

/// Reads the innermost scopes in a list such as `['', 'features', 'features.0', 'conv2d']`: the
/// last is the node's own name there, those before it are the paths of the modules around it.
fn scopes_in(list: &str) -> Vec<String> {
    let mut scopes = Vec::new();
    let mut rest = list;
    while let Some(start) = rest.find(['\'', '"']) {
        let quote = &rest[start..=start];
        let inner = &rest[start + 1..];
        let Some(end) = inner.find(quote) else { break };
        scopes.push(&inner[..end]);
        rest = &inner[end + 1..];
    }
    let inner = scopes.into_iter().rev().take(DEPTH);
    let names: BTreeSet<&str> = inner.filter(|name| !name.is_empty()).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Turns `/features/features.0/Conv` into `features` and `features.0`: `PyTorch`'s older exporter
/// writes the paths of the modules around a node, each from the nearest list of modules on, and the
/// operator.
fn module_paths(name: &str) -> Vec<String> {
    let modules = name.strip_prefix('/').and_then(|path| path.rsplit_once('/'));
    let Some((modules, _operator)) = modules else { return Vec::new() };
    if modules.split('/').count() > DEPTH {
        return Vec::new();
    }
    let mut paths = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    for module in modules.split('/') {
        let within =
            |parent: &&str| module.strip_prefix(parent).is_some_and(|rest| rest.starts_with('.'));
        if path.last().is_some_and(within) {
            path.pop();
        }
        path.push(module);
        paths.push(path.join("."));
    }
    paths
}

/// Turns `features.0.weight` into `features.0`.
fn stem(weight: &str) -> Option<&str> {
    weight.strip_suffix(".weight").filter(|stem| !stem.is_empty())
}

/// Lists the names most similar to one, best first.
pub(crate) fn nearest<'a>(names: impl Iterator<Item = &'a str>, wanted: &str) -> Vec<String> {
    let lower = wanted.to_lowercase();
    let mut rated: Vec<(f64, &str)> = names
        .map(|name| (strsim::jaro_winkler(&name.to_lowercase(), &lower), name))
        .filter(|&(similarity, _)| similarity > 0.7)
        .collect();
    rated.sort_by(|(a, a_name), (b, b_name)| b.total_cmp(a).then(a_name.cmp(b_name)));
    rated.into_iter().take(NEAREST).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Is, integers, load_nodes, node, reals};

    #[test]
    fn paths_of_modules_are_put_together() {
        for (name, path) in [
            ("/features/features.0/Conv", &["features", "features.0"][..]),
            ("/layer1/layer1.0/conv1/Conv", &["layer1", "layer1.0", "layer1.0.conv1"]),
            (
                "/model/blocks/blocks.3/attn/MatMul",
                &["model", "model.blocks", "model.blocks.3", "model.blocks.3.attn"],
            ),
            ("/relu_1/Relu", &["relu_1"]),
            ("/Flatten", &[]),
            ("conv1", &[]),
        ] {
            assert_eq!(module_paths(name), path, "{name}");
        }
        assert_eq!(module_paths(&"/a".repeat(10_000)), [""; 0]);
    }

    #[test]
    fn scopes_are_read_from_the_list_that_the_exporter_writes() {
        let list = "['', 'features', 'features.0', 'conv2d']";
        assert_eq!(scopes_in(list), ["conv2d", "features", "features.0"]);
        assert_eq!(scopes_in("['']"), [""; 0]);
        assert_eq!(scopes_in("['open"), [""; 0]);
    }

    #[test]
    fn a_layer_is_found_by_every_name_its_user_may_know() {
        let nodes = vec![
            node("Conv", "node_conv2d", &["x", "features.0.weight"], &["conv2d"])
                .with("kernel_shape", Is::Integers(&[1, 1]))
                .with_metadata(NAME_SCOPES, "['', 'net', 'net.body', 'conv2d']"),
            node("Relu", "/act/act.1/Relu", &["conv2d"], &["y"]),
        ];
        let model =
            load_nodes(nodes, vec![reals("features.0.weight", &[2, 3, 1, 1], &[1.0; 6])], 18);
        let model = model.unwrap();
        let convolution = model.find("node_conv2d").unwrap();
        for name in ["conv2d", "net.body", "features.0"] {
            assert_eq!(model.find(name).unwrap(), convolution, "{name}");
        }
        assert_eq!(model.find("act.1").unwrap(), model.find("y").unwrap());
    }

    #[test]
    fn a_module_is_what_it_hands_out_and_an_ambiguous_name_is_nobody() {
        let nodes = vec![
            node("Relu", "/block/Relu", &["x"], &["a"]),
            node("Add", "/block/Add", &["a", "x"], &["b"]),
            node("Relu", "/act/Relu", &["b"], &["c"]),
            node("Reshape", "shape", &["c", "s"], &["d"]),
            node("Relu", "/act/Relu_1", &["d"], &["y"]),
        ];
        let model = load_nodes(nodes, vec![integers("s", &[0, 0, 64])], 13).unwrap();
        assert_eq!(model.find("block").unwrap(), model.find("/block/Add").unwrap());
        assert!(model.find("act").is_err());
    }

    #[test]
    fn an_unknown_name_is_an_error_with_the_nearest_names() {
        let nodes = vec![
            node("Relu", "conv10_relu", &["x"], &["a"]),
            node("Relu", "pool1", &["a"], &["y"]),
        ];
        let model = load_nodes(nodes, vec![], 13).unwrap();
        let error = model.find("Conv10relu").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the model has no layer or value \"Conv10relu\"; similar names: conv10_relu"
        );
        let error = model.find("@@").unwrap_err();
        assert_eq!(error.to_string(), "the model has no layer or value \"@@\"");
    }
}
