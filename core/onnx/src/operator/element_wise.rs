//! Operators that apply a function to every element: a new one is one line in the list.

use convscope_runtime::Unary;
use convscope_runtime::layer::{ElementWise, Rectifier};
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::refusal::Refusal;

/// Reads a function from the attributes of a node.
type Read = fn(&Call<'_, '_>) -> Result<Unary, Refusal>;

/// Every operator that applies a function to every element of its one input, alphabetical.
const FUNCTIONS: &[(&str, Read)] = &[
    ("Abs", |_| Ok(Unary::Absolute)),
    ("Celu", celu),
    ("Elu", |call| Ok(exponential_linear(real(call, "alpha", 1.0)?, 1.0))),
    ("Erf", |_| Ok(Unary::ErrorFunction)),
    ("Exp", |_| Ok(Unary::Exponential)),
    ("Gelu", gelu),
    ("HardSigmoid", hard_sigmoid),
    ("HardSwish", |_| Ok(Unary::HardSwish)),
    ("LeakyRelu", |call| Ok(Unary::LeakyRectify(real(call, "alpha", 0.01)?))),
    ("Log", |_| Ok(Unary::Logarithm)),
    ("Mish", |_| Ok(Unary::Mish)),
    ("Neg", |_| Ok(Unary::Scale(-1.0))),
    ("Reciprocal", |_| Ok(Unary::Reciprocal)),
    ("Relu", |_| Ok(Unary::Rectify)),
    ("Selu", selu),
    ("Sigmoid", |_| Ok(Unary::Sigmoid)),
    ("Softplus", |_| Ok(Unary::Softplus)),
    ("Softsign", |_| Ok(Unary::Softsign)),
    ("Sqrt", |_| Ok(Unary::SquareRoot)),
    ("Swish", |call| Ok(Unary::Swish(real(call, "alpha", 1.0)?))),
    ("Tanh", |_| Ok(Unary::Tanh)),
    ("ThresholdedRelu", |call| Ok(Unary::Threshold(real(call, "alpha", 1.0)?))),
];

/// Says whether an operator applies a function to every element.
pub(crate) fn is_known(operator: &str) -> bool {
    find(operator).is_some()
}

fn find(operator: &str) -> Option<Read> {
    FUNCTIONS.iter().find(|(name, _)| *name == operator).map(|&(_, read)| read)
}

/// Returns the function that a node applies.
pub(crate) fn function(call: &Call<'_, '_>) -> Result<Unary, Refusal> {
    call.at_most(1)?;
    let unknown = || Refusal::unsupported("the operator is not supported");
    find(call.operator).ok_or_else(unknown)?(call)
}

pub(super) fn convert(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    let function = function(call)?;
    let input = call.value(0)?;
    match function {
        // It needs less memory than the layer of all functions, and joins the layer before it.
        Unary::Rectify => call.add(Rectifier, &[input]),
        function => call.add(ElementWise::new(function), &[input]),
    }
}

fn real(call: &Call<'_, '_>, name: &str, default: f32) -> Result<f32, Refusal> {
    Ok(call.attributes.real(name)?.unwrap_or(default))
}

fn exponential_linear(alpha: f32, gain: f32) -> Unary {
    Unary::ExponentialLinear { alpha, gain, rate: 1.0 }
}

fn celu(call: &Call<'_, '_>) -> Result<Unary, Refusal> {
    let alpha = real(call, "alpha", 1.0)?;
    if alpha == 0.0 {
        return Err(Refusal::invalid("its attribute alpha is 0, and it divides by it"));
    }
    Ok(Unary::ExponentialLinear { alpha, gain: 1.0, rate: 1.0 / alpha })
}

fn gelu(call: &Call<'_, '_>) -> Result<Unary, Refusal> {
    match call.attributes.text("approximate")? {
        None | Some("none") => Ok(Unary::Gelu),
        Some("tanh") => Ok(Unary::GeluByTanh),
        Some(other) => Err(Refusal::invalid(format!(
            "its attribute approximate is {other:?}, neither none nor tanh"
        ))),
    }
}

fn hard_sigmoid(call: &Call<'_, '_>) -> Result<Unary, Refusal> {
    let [slope, offset] = [real(call, "alpha", 0.2)?, real(call, "beta", 0.5)?];
    Ok(Unary::HardSigmoid { slope, offset })
}

fn selu(call: &Call<'_, '_>) -> Result<Unary, Refusal> {
    let alpha = real(call, "alpha", 1.673_263_2)?;
    Ok(exponential_linear(alpha, real(call, "gamma", 1.050_701)?))
}

#[cfg(test)]
mod tests {
    use convscope_runtime::{CpuBackend, ForwardRequest, LayerKind, Tensor};

    use super::*;
    use crate::proto::NodeProto;
    use crate::testing::{Is, load_nodes, node, refusal};

    #[test]
    fn the_list_is_alphabetical() {
        assert!(FUNCTIONS.is_sorted_by_key(|(name, _)| *name));
    }

    fn unary(operator: &str) -> NodeProto {
        node(operator, "n", &["x"], &["y"])
    }

    /// Returns the kind of a layer, and what it makes of −2 and of 0.75.
    fn around(node: NodeProto) -> (LayerKind, [f32; 2]) {
        let network = load_nodes(vec![node], vec![], 24).unwrap().network;
        let kind = network.nodes()[0].layer.kind();
        let values = [-2.0, 0.75].map(|x| {
            let captures = network.outputs();
            let request = ForwardRequest { captures, ..ForwardRequest::default() };
            let input = [Tensor::filled([1, 3, 8, 8], x)];
            let trace = network.forward(&CpuBackend::new(), &input, &request).unwrap();
            trace.value(captures[0]).unwrap().to_host().unwrap().values().unwrap()[0]
        });
        (kind, values)
    }

    /// By `onnx.reference.ReferenceEvaluator` of onnx 1.23.2, in double precision, at −2 and 0.75;
    /// `element_wise.py` beside this file printed them.
    const EXPECTED: &[(&str, [f64; 2])] = &[
        ("Abs", [2.0, 0.75]),
        ("Celu", [-0.864_664_716_8, 0.75]),
        ("Elu", [-0.864_664_716_8, 0.75]),
        ("Erf", [-0.995_322_287_1, 0.711_155_653]),
        ("Exp", [0.135_335_283_2, 2.117_000_017]),
        ("Gelu", [-0.045_500_278_47, 0.580_029_487_6]),
        ("HardSigmoid", [0.099_999_994_04, 0.650_000_002_2]),
        ("HardSwish", [-0.333_333_313_5, 0.468_750_002_8]),
        ("LeakyRelu", [-0.019_999_999_55, 0.75]),
        ("Log", [f64::NAN, -0.287_682_072_5]),
        ("Mish", [-0.252_501_482_7, 0.610_018_335_2]),
        ("Neg", [2.0, -0.75]),
        ("Reciprocal", [-0.5, 1.333_333_333]),
        ("Relu", [0.0, 0.75]),
        ("Selu", [-1.520_166_473, 0.788_025_766_6]),
        ("Sigmoid", [0.119_202_922, 0.679_178_699_2]),
        ("Softplus", [0.126_928_011, 1.136_871_006]),
        ("Softsign", [-0.666_666_666_7, 0.428_571_428_6]),
        ("Sqrt", [f64::NAN, 0.866_025_403_8]),
        ("Swish", [-0.238_405_844, 0.509_384_024_4]),
        ("Tanh", [-0.964_027_580_1, 0.635_148_952_4]),
        ("ThresholdedRelu", [0.0, 0.0]),
    ];

    #[test]
    fn every_function_has_the_defaults_of_its_operator() {
        let names: Vec<&str> = EXPECTED.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, FUNCTIONS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for (operator, expected) in EXPECTED {
            let (_, values) = around(unary(operator));
            for (value, expected) in values.into_iter().zip(expected) {
                let value = f64::from(value);
                let agrees = (value - expected).abs() <= 1e-6 * expected.abs();
                assert!(agrees || (value.is_nan() && expected.is_nan()), "{operator}: {value}");
            }
        }
    }

    fn agrees(node: NodeProto, expected: [f32; 2]) -> bool {
        let pairs = around(node).1.into_iter().zip(expected);
        pairs.into_iter().all(|(value, expected)| (value - expected).abs() <= 1e-6)
    }

    #[test]
    fn attributes_change_the_function() {
        let with = |operator, name, value| unary(operator).with(name, Is::Real(value));
        let e = |x: f32| x.exp();
        assert!(agrees(with("Celu", "alpha", 2.0), [2.0 * (e(-1.0) - 1.0), 0.75]));
        assert!(agrees(with("Elu", "alpha", 2.0), [2.0 * (e(-2.0) - 1.0), 0.75]));
        assert!(agrees(with("HardSigmoid", "alpha", 0.5), [0.0, 0.875]));
        assert!(agrees(with("HardSigmoid", "beta", 0.75), [0.35, 0.9]));
        assert!(agrees(with("LeakyRelu", "alpha", 0.25), [-0.5, 0.75]));
        let selu = with("Selu", "alpha", 1.0).with("gamma", Is::Real(2.0));
        assert!(agrees(selu, [2.0 * (e(-2.0) - 1.0), 1.5]));
        assert!(agrees(
            with("Swish", "alpha", 2.0),
            [-2.0 / (1.0 + e(4.0)), 0.75 / (1.0 + e(-1.5))]
        ));
        assert!(agrees(with("ThresholdedRelu", "alpha", 0.25), [0.0, 0.75]));
        let exact = around(unary("Gelu")).1;
        let approximate = |how| around(unary("Gelu").with("approximate", Is::Text(how))).1;
        assert!((approximate("none")[1] - exact[1]).abs() == 0.0);
        assert!((approximate("tanh")[1] - 0.579_960_5).abs() <= 1e-6);
    }

    #[test]
    fn only_what_rectifies_is_a_rectifier() {
        let kind = |node| around(node).0;
        assert_eq!(kind(unary("Relu")), LayerKind::Rectifier);
        assert_eq!(kind(unary("LeakyRelu")), LayerKind::Activation);
        let flat = |operator| unary(operator).with("alpha", Is::Real(0.0));
        assert_eq!(kind(flat("LeakyRelu")), LayerKind::Rectifier);
        assert_eq!(kind(flat("ThresholdedRelu")), LayerKind::Rectifier);
        assert_eq!(kind(unary("Sqrt")), LayerKind::ElementWise);
    }

    #[test]
    fn attributes_without_a_meaning_are_refused() {
        let celu = unary("Celu").with("alpha", Is::Real(0.0));
        assert_eq!(
            refusal(vec![celu], vec![], 13),
            "Celu n: its attribute alpha is 0, and it divides by it"
        );
        let gelu = unary("Gelu").with("approximate", Is::Text("erf"));
        assert_eq!(
            refusal(vec![gelu], vec![], 20),
            "Gelu n: its attribute approximate is \"erf\", neither none nor tanh"
        );
        let sigmoid = unary("Sigmoid").with("alpha", Is::Real(1.0));
        assert!(refusal(vec![sigmoid], vec![], 13).contains("attribute alpha is not supported"));
        let two = node("Tanh", "n", &["x", "x"], &["y"]);
        assert_eq!(refusal(vec![two], vec![], 13), "Tanh n: it has 2 inputs, at most 1 fit");
    }
}
