use super::{
    DeltaForm, Keep, Layer, LayerInversion, LayerKind, Reach, Reads, Record, Work, operand,
};
use crate::{Backend, Deltas, Epilogue, LayerError, Orientation, Shape, Tensor};

/// Multiplies the last axis with a stored matrix: a fully connected layer.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Makes the layer of host tensors.
    ///
    /// # Shapes
    /// weight `[out, in]`, bias `[out]`; it turns `[batch, …, in]` into `[batch, …, out]`.
    ///
    /// # Errors
    /// Fails when weight and bias do not fit each other.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Result<Self, LayerError> {
        let kind = LayerKind::Linear;
        let [outputs, inputs] = *weight.shape().extents() else {
            let actual = format!("shape {}", weight.shape());
            return Err(LayerError::invalid(kind, "a weight [out, in]", actual));
        };
        if outputs == 0 || inputs == 0 {
            let actual = format!("shape {}", weight.shape());
            return Err(LayerError::invalid(kind, "a weight that is not empty", actual));
        }
        if let Some(bias) = &bias
            && bias.shape().extents() != [outputs]
        {
            let expected = format!("a bias for {outputs} outputs");
            return Err(LayerError::invalid(kind, expected, format!("shape {}", bias.shape())));
        }
        Ok(Self { weight, bias })
    }

    fn multiplied(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        epilogue: Epilogue,
    ) -> Result<(Tensor, Record), LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        self.output_shape(&[input.shape()])?;
        let weight = backend.upload(&self.weight)?;
        let bias = self.bias.as_ref().map(|bias| backend.upload(bias)).transpose()?;
        let output = backend.linear(input, &weight, bias.as_ref(), epilogue)?;
        let record = Record::new(&output, inputs);
        Ok((output, record))
    }
}

impl Layer for Linear {
    fn kind(&self) -> LayerKind {
        LayerKind::Linear
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, LayerError> {
        let input = operand::one(self.kind(), inputs)?;
        let width = self.weight.shape().extents().get(1);
        let mut extents = input.extents().to_vec();
        if extents.len() < 2 || extents.last() != width {
            let expected = format!("{} features behind a batch", width.unwrap_or(&0));
            return Err(LayerError::invalid(self.kind(), expected, format!("shape {input}")));
        }
        if let Some(last) = extents.last_mut() {
            *last = self.weight.shape().batch();
        }
        Ok(Shape::new(&extents))
    }

    fn forward(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        _keep: Keep,
    ) -> Result<(Tensor, Record), LayerError> {
        self.multiplied(backend, inputs, Epilogue::None)
    }

    fn forward_with_epilogue(
        &self,
        backend: &dyn Backend,
        inputs: &[&Tensor],
        epilogue: Epilogue,
    ) -> Option<Result<(Tensor, Record), LayerError>> {
        Some(self.multiplied(backend, inputs, epilogue))
    }

    fn reach(&self, _input: usize) -> Reach {
        Reach::Global
    }

    fn delta_form(&self) -> DeltaForm {
        DeltaForm::Whole
    }

    fn forward_whole_deltas(
        &self,
        backend: &dyn Backend,
        deltas: &[&Deltas],
    ) -> Result<Tensor, LayerError> {
        if let Some(product) = backend.deltas().linear(deltas, &self.weight) {
            return Ok(product?);
        }
        let products = |deltas: &&Deltas| {
            let maps = deltas.on_maps(backend)?;
            let [cases, features] = [maps.shape().batch(), maps.shape().with_batch(1).volume()];
            let rows = backend.reshape(&maps, &Shape::from([cases, features]))?;
            Ok(backend.linear(&rows, &backend.upload(&self.weight)?, None, Epilogue::None)?)
        };
        let all = deltas.iter().map(products).collect::<Result<Vec<_>, LayerError>>()?;
        Ok(backend.concatenation(&all.iter().collect::<Vec<_>>(), 0)?)
    }

    fn work(&self, inputs: &[&Shape]) -> Work {
        let (output, bias) = (self.output_shape(inputs), self.bias.as_ref());
        Work::with_weights(inputs, output, &self.weight, bias, Shape::volume)
    }

    fn parameter(&self, name: &str) -> Option<&Tensor> {
        match name {
            "weight" => Some(&self.weight),
            "bias" => self.bias.as_ref(),
            _ => None,
        }
    }
}

impl LayerInversion for Linear {
    fn invert(
        &self,
        backend: &dyn Backend,
        signal: &Tensor,
        _record: &Record,
    ) -> Result<Vec<Tensor>, LayerError> {
        let weight = backend.upload(&self.weight)?;
        let plain = Orientation::Plain;
        Ok(vec![backend.matrix_product(signal, plain, &weight, plain)?])
    }

    fn reads(&self) -> Reads {
        Reads::Shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CpuBackend;
    use crate::layer::testing::{Numbers, check};

    fn layer() -> Linear {
        let mut numbers = Numbers::new(4);
        Linear::new(numbers.tensor([3, 5]), Some(numbers.tensor([3]))).unwrap()
    }

    #[test]
    fn linear_keeps_its_promises_for_features_and_further_axes() {
        check(&layer(), &[&[5]]);
        check(&layer(), &[&[2, 5]]);
        check(&Linear::new(Numbers::new(4).tensor([3, 5]), None).unwrap(), &[&[5]]);
    }

    #[test]
    fn rows_of_the_weight_are_outputs() {
        let weight = Tensor::new([2, 3], vec![1.0, 0.0, 2.0, 0.0, -1.0, 0.0]).unwrap();
        let layer = Linear::new(weight, Some(Tensor::new([2], vec![10.0, 20.0]).unwrap())).unwrap();
        let input = Tensor::new([1, 3], vec![1.0, 2.0, 3.0]).unwrap();
        let (output, _) = layer.forward(&CpuBackend::new(), &[&input], Keep::Output).unwrap();
        assert_eq!(output.values().unwrap(), [17.0, 18.0]);
    }

    #[test]
    fn the_work_of_a_linear_layer_is_counted() {
        let work = layer().work(&[&Shape::from([2, 5])]);
        let expected = Work { multiply_adds: 30, bytes: 4 * (10 + 6 + 18), parameters: 18 };
        assert_eq!(work, expected);
        assert!(layer().parameter("weight").is_some() && layer().parameter("bias").is_some());
    }

    #[test]
    fn linear_refuses_what_does_not_fit() {
        let message = |weight: Shape, bias: Option<usize>| {
            let bias = bias.map(|count| Tensor::zeros([count]));
            Linear::new(Tensor::zeros(weight), bias).unwrap_err().to_string()
        };
        assert_eq!(
            message(Shape::from([3, 5, 1]), None),
            "linear: expected a weight [out, in], got shape [3, 5, 1]"
        );
        assert_eq!(
            message(Shape::from([0, 5]), None),
            "linear: expected a weight that is not empty, got shape [0, 5]"
        );
        assert_eq!(
            message(Shape::from([3, 5]), Some(5)),
            "linear: expected a bias for 3 outputs, got shape [5]"
        );
        assert_eq!(
            layer().output_shape(&[&Shape::from([1, 4])]).unwrap_err().to_string(),
            "linear: expected 5 features behind a batch, got shape [1, 4]"
        );
    }
}
