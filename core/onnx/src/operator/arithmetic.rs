//! Add, Sum, Sub, Mul and Div.

use convscope_runtime::layer::{Addition, Pairwise};
use convscope_runtime::network::ValueId;

use crate::call::Call;
use crate::refusal::Refusal;

pub(super) fn add(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    let inputs = call.all_values()?;
    match inputs.as_slice() {
        [] => Err(Refusal::invalid("it adds nothing")),
        &[only] => Ok(only),
        _ => call.add(Addition, &inputs),
    }
}

pub(super) fn divide(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    pair(call, Pairwise::DIVISION)
}

pub(super) fn multiply(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    pair(call, Pairwise::MULTIPLICATION)
}

pub(super) fn subtract(call: &mut Call<'_, '_>) -> Result<ValueId, Refusal> {
    pair(call, Pairwise::SUBTRACTION)
}

fn pair(call: &mut Call<'_, '_>, layer: Pairwise) -> Result<ValueId, Refusal> {
    call.at_most(2)?;
    let inputs = [call.value(0)?, call.value(1)?];
    call.add(layer, &inputs)
}

#[cfg(test)]
mod tests {
    use crate::testing::{node, reals, refusal, shape_of};

    #[test]
    fn values_and_constants_broadcast() {
        for operator in ["Add", "Mul", "Sub", "Div"] {
            let nodes = vec![node(operator, "n", &["x", "c"], &["y"])];
            let stored = vec![reals("c", &[3, 1, 1], &[1.0, 2.0, 4.0])];
            assert_eq!(shape_of(nodes, stored, 13), [1, 3, 8, 8], "{operator}");
        }
        let nodes = vec![node("Sum", "n", &["x", "x", "x"], &["y"])];
        assert_eq!(shape_of(nodes, vec![], 13), [1, 3, 8, 8]);
    }

    #[test]
    fn a_constant_with_a_batch_of_its_own_is_refused() {
        let nodes = vec![node("Add", "n", &["x", "c"], &["y"])];
        let refusal = refusal(nodes, vec![reals("c", &[2, 1, 1, 1], &[1.0, 2.0])], 13);
        assert!(refusal.starts_with("one node is not supported:\n  Add n: "), "{refusal}");
        assert!(refusal.contains("mixes the images of a batch"), "{refusal}");
    }
}
