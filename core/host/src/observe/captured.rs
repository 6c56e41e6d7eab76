//! One captured value, which several reductions may read.

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
    fn a_value_is_read_once() {
        let (backend, tensor) = (CpuBackend::new(), Tensor::zeros([2, 3, 4, 4]));
        let mut captured = Captured::new(&backend, &tensor);
        let first = captured.peaks().unwrap().values.values().unwrap().as_ptr();
        assert_eq!(captured.peaks().unwrap().values.values().unwrap().as_ptr(), first);
        let first = captured.on_host().unwrap().values().unwrap().as_ptr();
        assert_eq!(captured.on_host().unwrap().values().unwrap().as_ptr(), first);
    }
}
