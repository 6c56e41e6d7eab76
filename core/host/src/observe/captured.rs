//! One captured value, which several reductions may read.

use std::borrow::Cow;

use convscope_runtime::{Backend, Peaks, Shape, Tensor};

use crate::HostError;

/// A captured value of consecutive cases. It is brought to the host, or its peaks are found, when
/// a reduction first asks for that, and once for all of them.
pub(super) struct Captured<'a> {
    backend: &'a dyn Backend,
    tensor: &'a Tensor,
    host: Option<Tensor>,
    peaks: Option<Peaks>,
}

impl<'a> Captured<'a> {
    /// Takes a value that lies where the backend put it.
    pub(super) fn new(backend: &'a dyn Backend, tensor: &'a Tensor) -> Self {
        Self { backend, tensor, host: None, peaks: None }
    }

    /// Returns the shape of the value.
    pub(super) fn shape(&self) -> &'a Shape {
        self.tensor.shape()
    }

    /// Returns the value as it lies on the host.
    pub(super) fn on_host(&mut self) -> Result<&Tensor, HostError> {
        Ok(match &mut self.host {
            Some(host) => host,
            empty @ None => empty.insert(self.tensor.to_host()?),
        })
    }

    /// Returns some channels of the value, which must exist, as they lie on the host; all of them
    /// without a choice.
    pub(super) fn channels(
        &mut self,
        channels: Option<&[usize]>,
    ) -> Result<Cow<'_, Tensor>, HostError> {
        let Some(channels) = channels else { return Ok(Cow::Borrowed(self.on_host()?)) };
        let source = self.host.as_ref().unwrap_or(self.tensor);
        // Only what is asked for is brought to the host.
        let parts: Vec<Tensor> = channels
            .iter()
            .map(|&channel| Ok(self.backend.slice(source, 1, channel, 1)?))
            .collect::<Result<_, HostError>>()?;
        let chosen = match parts.as_slice() {
            [one] => one.to_host()?,
            many => {
                let many: Vec<&Tensor> = many.iter().collect();
                self.backend.concatenation(&many, 1)?.to_host()?
            }
        };
        Ok(Cow::Owned(chosen))
    }

    /// Returns the strongest cell of every map, on the host.
    pub(super) fn peaks(&mut self) -> Result<&Peaks, HostError> {
        Ok(match &mut self.peaks {
            Some(peaks) => peaks,
            empty @ None => {
                let Peaks { values, positions, positive } = self.backend.peaks(self.tensor)?;
                empty.insert(Peaks {
                    values: values.to_host()?,
                    positions: positions.to_host()?,
                    positive: positive.to_host()?,
                })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use convscope_runtime::CpuBackend;

    use super::*;

    #[test]
    fn channels_are_handed_back_in_the_order_asked_for() {
        let backend = CpuBackend::new();
        for (shape, each) in [(vec![2, 3, 4, 5], 20), (vec![2, 3], 1), (vec![2, 3, 7], 7)] {
            let values: Vec<f32> = (0..6 * each).map(|v| v as f32).collect();
            let host = Tensor::new(shape.as_slice(), values.clone()).unwrap();
            let tensor = backend.upload(&host).unwrap();
            let mut captured = Captured::new(&backend, &tensor);
            for wanted in [&[1][..], &[2, 0], &[0, 1, 2]] {
                let expected: Vec<f32> = [0, 3]
                    .iter()
                    .flat_map(|case| wanted.iter().map(move |channel| (case + channel) * each))
                    .flat_map(|start| values[start..start + each].to_vec())
                    .collect();
                let chosen = captured.channels(Some(wanted)).unwrap();
                assert_eq!(chosen.values().unwrap(), expected);
            }
            assert_eq!(captured.channels(None).unwrap().values().unwrap(), values);
        }
    }

    #[test]
    fn a_value_is_read_once() {
        let (backend, tensor) = (CpuBackend::new(), Tensor::zeros([2, 3, 4, 4]));
        let mut captured = Captured::new(&backend, &tensor);
        let first = captured.peaks().unwrap().values.values().unwrap().as_ptr();
        assert_eq!(captured.peaks().unwrap().values.values().unwrap().as_ptr(), first);
        let first = captured.on_host().unwrap().values().unwrap().as_ptr();
        assert_eq!(captured.on_host().unwrap().values().unwrap().as_ptr(), first);
    }
}
