//! Shapes of tensors.

use std::fmt;

/// The extent of every axis of a tensor, outermost first.
///
/// Pictures and feature maps are `[batch, channel, height, width]`; axis 0 is the batch in every
/// value a network computes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape(Box<[usize]>);

impl Shape {
    /// Makes a shape of the given extents.
    pub fn new(extents: &[usize]) -> Self {
        Self(extents.into())
    }

    /// Returns the extents, outermost first.
    pub fn extents(&self) -> &[usize] {
        &self.0
    }

    /// Returns the number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Counts the elements; saturates where the product does not fit.
    pub fn volume(&self) -> usize {
        self.0.iter().fold(1, |product, &extent| product.saturating_mul(extent))
    }

    /// Returns the number of images, 1 for a scalar.
    pub fn batch(&self) -> usize {
        self.0.first().copied().unwrap_or(1)
    }

    /// Returns the same shape for another number of images.
    #[must_use]
    pub fn with_batch(&self, batch: usize) -> Self {
        let mut extents = self.0.clone();
        if let Some(first) = extents.first_mut() {
            *first = batch;
        }
        Self(extents)
    }

    /// Returns the same shape with another extent of an axis; unchanged where there is none such.
    #[must_use]
    pub fn with_extent(&self, axis: usize, extent: usize) -> Self {
        let mut extents = self.0.clone();
        if let Some(own) = extents.get_mut(axis) {
            *own = extent;
        }
        Self(extents)
    }

    /// Returns `[batch, channel, height, width]` when the shape has four axes.
    pub fn as_maps(&self) -> Option<[usize; 4]> {
        <[usize; 4]>::try_from(&*self.0).ok()
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, extent) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{extent}")?;
        }
        f.write_str("]")
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(extents: [usize; N]) -> Self {
        Self::new(&extents)
    }
}

impl From<&[usize]> for Shape {
    fn from(extents: &[usize]) -> Self {
        Self::new(extents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_reads_like_a_list() {
        assert_eq!(Shape::from([1, 3, 224, 224]).to_string(), "[1, 3, 224, 224]");
    }

    #[test]
    fn another_batch_leaves_the_other_axes() {
        assert_eq!(Shape::from([2, 5]).with_batch(7), Shape::from([7, 5]));
    }
}
