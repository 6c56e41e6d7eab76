//! Tensors: immutable, cheap to clone, on the host or on a device.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use ndarray::{ArcArray, ArrayD, ArrayViewD, IxDyn};

use crate::{BackendError, Shape};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floating point: every value of a network.
    F32,
    /// 32-bit unsigned: positions, such as the switches of max pooling.
    U32,
}

/// Values on the host, row-major.
#[derive(Clone, Debug)]
pub enum HostArray {
    /// Floating-point values.
    F32(ArcArray<f32, IxDyn>),
    /// Positions.
    U32(ArcArray<u32, IxDyn>),
}

/// A tensor that a device backend holds in its own memory and its own layout.
///
/// The shape is the logical, row-major one that the rest of the program sees, whatever the layout.
pub trait DeviceTensor: fmt::Debug + Send + Sync {
    /// Returns the logical shape.
    fn shape(&self) -> &Shape;
    /// Returns the type of the elements.
    fn element(&self) -> Element;
    /// Copies the values to the host, waiting for the device where it must.
    ///
    /// # Errors
    /// Fails when the device is lost or out of memory.
    fn read(&self) -> Result<HostArray, BackendError>;
    /// Lets the backend that made the tensor find its own type again.
    fn as_any(&self) -> &dyn Any;
}

/// An immutable array of numbers, cheap to clone.
///
/// It lies on the host or on a device; reading a device's tensor back is an explicit call, so that
/// a download is visible in the code.
#[derive(Clone, Debug)]
pub struct Tensor {
    shape: Shape,
    storage: Storage,
}

#[derive(Clone, Debug)]
enum Storage {
    Host(HostArray),
    Device(Arc<dyn DeviceTensor>),
}

impl Tensor {
    /// Makes a host tensor of values in row-major order.
    ///
    /// # Errors
    /// Fails when the number of values is not the shape's volume.
    pub fn new(shape: impl Into<Shape>, values: Vec<f32>) -> Result<Self, BackendError> {
        let shape = shape.into();
        let count = values.len();
        match ArcArray::from_shape_vec(IxDyn(shape.extents()), values) {
            Ok(array) => Ok(Self { shape, storage: Storage::Host(HostArray::F32(array)) }),
            Err(_) => Err(BackendError::WrongCount { shape, count }),
        }
    }

    /// Makes a host tensor of positions in row-major order.
    ///
    /// # Errors
    /// Fails when the number of values is not the shape's volume.
    pub fn indices(shape: impl Into<Shape>, values: Vec<u32>) -> Result<Self, BackendError> {
        let shape = shape.into();
        let count = values.len();
        match ArcArray::from_shape_vec(IxDyn(shape.extents()), values) {
            Ok(array) => Ok(Self { shape, storage: Storage::Host(HostArray::U32(array)) }),
            Err(_) => Err(BackendError::WrongCount { shape, count }),
        }
    }

    /// Makes a host tensor in which every element has the same value.
    pub fn filled(shape: impl Into<Shape>, value: f32) -> Self {
        let shape = shape.into();
        let array = ArcArray::from_elem(IxDyn(shape.extents()), value);
        Self { shape, storage: Storage::Host(HostArray::F32(array)) }
    }

    /// Makes a host tensor of zeros.
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        Self::filled(shape, 0.0)
    }

    /// Wraps a device's tensor.
    pub fn on_device(tensor: Arc<dyn DeviceTensor>) -> Self {
        Self { shape: tensor.shape().clone(), storage: Storage::Device(tensor) }
    }

    /// Returns the logical shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns the type of the elements.
    pub fn element(&self) -> Element {
        match &self.storage {
            Storage::Host(HostArray::F32(_)) => Element::F32,
            Storage::Host(HostArray::U32(_)) => Element::U32,
            Storage::Device(tensor) => tensor.element(),
        }
    }

    /// Returns the device's tensor, if it lies on a device.
    pub fn device(&self) -> Option<&Arc<dyn DeviceTensor>> {
        match &self.storage {
            Storage::Device(tensor) => Some(tensor),
            Storage::Host(_) => None,
        }
    }

    /// Returns a tensor with the same values on the host; a clone when it lies there already.
    ///
    /// # Errors
    /// Fails when the device cannot be read.
    pub fn to_host(&self) -> Result<Self, BackendError> {
        match &self.storage {
            Storage::Host(_) => Ok(self.clone()),
            Storage::Device(tensor) => {
                let array = tensor.read()?;
                Ok(Self { shape: self.shape.clone(), storage: Storage::Host(array) })
            }
        }
    }

    /// Borrows the values of a host tensor in row-major order.
    ///
    /// # Errors
    /// Fails when the tensor lies on a device or holds positions.
    pub fn values(&self) -> Result<&[f32], BackendError> {
        match &self.storage {
            Storage::Host(HostArray::F32(array)) => {
                array.as_slice().ok_or(BackendError::NotRowMajor)
            }
            Storage::Host(HostArray::U32(_)) => Err(BackendError::WrongElement(Element::F32)),
            Storage::Device(_) => Err(BackendError::NotOnHost),
        }
    }

    /// Borrows the values of one row of a host tensor, which are those of one image; `None` behind
    /// the last.
    ///
    /// # Errors
    /// Fails when the tensor lies on a device or holds positions.
    pub fn row(&self, index: usize) -> Result<Option<&[f32]>, BackendError> {
        let values = self.values()?;
        if index >= self.shape.batch() {
            return Ok(None);
        }
        let each = self.shape.with_batch(1).volume();
        let start = index.saturating_mul(each);
        Ok(values.get(start..start.saturating_add(each)))
    }

    /// Takes the values out of a host tensor, so that their memory can be used again; `None` where
    /// another tensor shares them, where they are positions, and on a device.
    pub fn into_values(self) -> Option<Vec<f32>> {
        let Storage::Host(HostArray::F32(array)) = self.storage else { return None };
        let (values, _) = array.try_into_owned_nocopy().ok()?.into_raw_vec_and_offset();
        // An array may show a part of its memory only.
        (values.len() == self.shape.volume()).then_some(values)
    }

    /// Borrows the positions of a host tensor in row-major order.
    ///
    /// # Errors
    /// Fails when the tensor lies on a device or holds floating-point values.
    pub fn positions(&self) -> Result<&[u32], BackendError> {
        match &self.storage {
            Storage::Host(HostArray::U32(array)) => {
                array.as_slice().ok_or(BackendError::NotRowMajor)
            }
            Storage::Host(HostArray::F32(_)) => Err(BackendError::WrongElement(Element::U32)),
            Storage::Device(_) => Err(BackendError::NotOnHost),
        }
    }

    /// Borrows a host tensor of floating-point values as an array.
    ///
    /// # Errors
    /// Fails when the tensor lies on a device or holds positions.
    pub fn view(&self) -> Result<ArrayViewD<'_, f32>, BackendError> {
        match &self.storage {
            Storage::Host(HostArray::F32(array)) => Ok(array.view()),
            Storage::Host(HostArray::U32(_)) => Err(BackendError::WrongElement(Element::F32)),
            Storage::Device(_) => Err(BackendError::NotOnHost),
        }
    }

    /// Borrows the array of a host tensor, to share it without a copy.
    ///
    /// # Errors
    /// Fails when the tensor lies on a device.
    pub fn host_array(&self) -> Result<&HostArray, BackendError> {
        match &self.storage {
            Storage::Host(array) => Ok(array),
            Storage::Device(_) => Err(BackendError::NotOnHost),
        }
    }

    /// Returns a host tensor with the same values in the same order and another shape, sharing
    /// them. Backends reshape their own tensors with [`Backend::reshape`](crate::Backend::reshape).
    ///
    /// # Errors
    /// Fails when the volumes differ or the tensor lies on a device.
    pub fn with_shape(&self, shape: impl Into<Shape>) -> Result<Self, BackendError> {
        let shape = shape.into();
        let wrong =
            || BackendError::WrongCount { shape: shape.clone(), count: self.shape.volume() };
        let target = IxDyn(shape.extents());
        let array = match &self.storage {
            Storage::Host(HostArray::F32(array)) => {
                HostArray::F32(array.clone().into_shape_with_order(target).map_err(|_| wrong())?)
            }
            Storage::Host(HostArray::U32(array)) => {
                HostArray::U32(array.clone().into_shape_with_order(target).map_err(|_| wrong())?)
            }
            Storage::Device(_) => return Err(BackendError::NotOnHost),
        };
        Ok(Self { shape, storage: Storage::Host(array) })
    }
}

impl From<HostArray> for Tensor {
    /// Shares the array; copies it only where it is not row-major.
    fn from(array: HostArray) -> Self {
        let shape = array.shape();
        let array = match array {
            HostArray::F32(values) if !values.is_standard_layout() => {
                HostArray::F32(values.as_standard_layout().into_owned().into_shared())
            }
            HostArray::U32(values) if !values.is_standard_layout() => {
                HostArray::U32(values.as_standard_layout().into_owned().into_shared())
            }
            row_major => row_major,
        };
        Self { shape, storage: Storage::Host(array) }
    }
}

impl From<ArrayD<f32>> for Tensor {
    /// Takes the array over; copies it only where it is not row-major.
    fn from(array: ArrayD<f32>) -> Self {
        HostArray::F32(array.into_shared()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_refuses_a_wrong_number_of_values() {
        let error = Tensor::new([2, 2], vec![1.0]).unwrap_err();
        assert_eq!(error.to_string(), "shape [2, 2] needs 4 values, got 1");
    }

    #[test]
    fn reshaping_shares_the_values() {
        let tensor = Tensor::new([2, 2], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let flat = tensor.with_shape([4]).unwrap();
        assert_eq!(flat.values().unwrap().as_ptr(), tensor.values().unwrap().as_ptr());
    }

    #[test]
    fn an_array_goes_in_and_out_without_a_copy() {
        let tensor = Tensor::new([2, 2], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let again = Tensor::from(tensor.host_array().unwrap().clone());
        assert_eq!(again.values().unwrap().as_ptr(), tensor.values().unwrap().as_ptr());
    }

    #[test]
    fn an_owned_array_goes_in_and_its_values_out_without_a_copy() {
        let array = ArrayD::from_elem(IxDyn(&[2, 2]), 3.0);
        let place = array.as_ptr();
        let tensor = Tensor::from(array);
        assert_eq!(tensor.values().unwrap().as_ptr(), place);
        let values = tensor.into_values().unwrap();
        assert_eq!((values.as_ptr(), values.as_slice()), (place, &[3.0; 4][..]));
    }

    #[test]
    fn values_that_are_shared_or_a_part_of_others_are_not_given_away() {
        let tensor = Tensor::new([2], vec![1.0, 2.0]).unwrap();
        let other = tensor.clone();
        assert_eq!(tensor.into_values(), None);
        assert_eq!(other.into_values().unwrap(), [1.0, 2.0]);
        let part = ArcArray::from_vec(vec![1.0, 2.0, 3.0]).slice_move(ndarray::s![1..]).into_dyn();
        assert_eq!(Tensor::from(HostArray::F32(part)).into_values(), None);
        assert_eq!(Tensor::indices([1], vec![3]).unwrap().into_values(), None);
    }

    #[test]
    fn a_row_is_what_one_image_has() {
        let tensor = Tensor::new([2, 1, 2], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(tensor.row(1).unwrap(), Some(&[3.0, 4.0][..]));
        assert_eq!(tensor.row(2).unwrap(), None);
        assert_eq!(Tensor::zeros([0, 2]).row(0).unwrap(), None);
        let switches = Tensor::indices([1], vec![3]).unwrap();
        assert_eq!(switches.row(0).unwrap_err().to_string(), "the tensor does not hold F32");
    }

    #[test]
    fn a_transposed_array_becomes_row_major() {
        let array = ndarray::arr2(&[[1.0, 2.0], [3.0, 4.0]]).reversed_axes().into_dyn();
        assert_eq!(Tensor::from(array).values().unwrap(), [1.0, 3.0, 2.0, 4.0]);
    }

    #[test]
    fn positions_are_not_values() {
        let switches = Tensor::indices([1], vec![3]).unwrap();
        assert_eq!(switches.values().unwrap_err().to_string(), "the tensor does not hold F32");
    }

    /// A device that hands out what it was given, or nothing.
    #[derive(Debug)]
    struct Device(Shape, Option<HostArray>);

    impl DeviceTensor for Device {
        fn shape(&self) -> &Shape {
            &self.0
        }

        fn element(&self) -> Element {
            Element::F32
        }

        fn read(&self) -> Result<HostArray, BackendError> {
            let lost = || BackendError::Device {
                device: "adapter 0".to_owned(),
                reason: "it was unplugged".to_owned(),
            };
            self.1.clone().ok_or_else(lost)
        }

        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    #[test]
    fn values_on_a_device_are_read_back_by_an_explicit_call() {
        let array = HostArray::F32(ArcArray::from_elem(IxDyn(&[2]), 3.0));
        let tensor = Tensor::on_device(Arc::new(Device(Shape::from([2]), Some(array))));
        let message = "the tensor lies on a device; read it back first";
        assert_eq!(tensor.values().unwrap_err().to_string(), message);
        assert_eq!(tensor.positions().unwrap_err().to_string(), message);
        assert_eq!(tensor.view().unwrap_err().to_string(), message);
        assert_eq!(tensor.with_shape([2, 1]).unwrap_err().to_string(), message);
        assert_eq!(tensor.to_host().unwrap().values().unwrap(), [3.0, 3.0]);
    }

    #[test]
    fn a_lost_device_and_one_with_another_layout_are_told() {
        let lost = Tensor::on_device(Arc::new(Device(Shape::from([2]), None)));
        assert_eq!(
            lost.to_host().unwrap_err().to_string(),
            "device adapter 0 failed: it was unplugged"
        );
        let transposed = ArcArray::from_elem(IxDyn(&[2, 3]), 3.0).reversed_axes();
        let device = Device(Shape::from([3, 2]), Some(HostArray::F32(transposed)));
        let transposed = Tensor::on_device(Arc::new(device)).to_host().unwrap();
        assert_eq!(
            transposed.values().unwrap_err().to_string(),
            "the tensor is not laid out in row-major order"
        );
    }

    /// A device that hands its values out in column-major order.
    #[derive(Debug)]
    struct Sideways(Shape);

    impl DeviceTensor for Sideways {
        fn shape(&self) -> &Shape {
            &self.0
        }

        fn element(&self) -> Element {
            Element::F32
        }

        fn read(&self) -> Result<HostArray, BackendError> {
            let values = ndarray::arr2(&[[1.0, 2.0], [3.0, 4.0]]).reversed_axes();
            Ok(HostArray::F32(values.into_dyn().into_shared()))
        }

        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    #[test]
    fn values_on_a_device_must_be_read_back_first() {
        let tensor = Tensor::on_device(Arc::new(Sideways(Shape::from([2, 2]))));
        let message = "the tensor lies on a device; read it back first";
        assert_eq!(tensor.values().unwrap_err().to_string(), message);
        assert_eq!(tensor.positions().unwrap_err().to_string(), message);
        assert_eq!(tensor.with_shape([4]).unwrap_err().to_string(), message);
        assert!(tensor.to_host().unwrap().view().is_ok());
    }

    #[test]
    fn a_slice_of_columns_is_refused() {
        let tensor = Tensor::on_device(Arc::new(Sideways(Shape::from([2, 2]))));
        let error = tensor.to_host().unwrap().values().unwrap_err();
        assert_eq!(error.to_string(), "the tensor is not laid out in row-major order");
    }
}
