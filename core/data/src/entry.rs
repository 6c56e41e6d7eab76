//! Entries: what a list of pictures consists of.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convscope_runtime::{Element, Region, Tensor};

use crate::{ContentHash, DataError, TensorRows};

/// One picture or tensor, not yet decoded.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A picture file.
    Picture {
        /// The file.
        path: PathBuf,
        /// A class name or number, as its list says.
        label: Option<String>,
        /// Named parts, as its list says.
        parts: Vec<Part>,
    },
    /// One row of a tensor of pictures, used as it is.
    Tensor {
        /// The file.
        path: PathBuf,
        /// The row, from 0.
        row: usize,
        /// All rows, `[n, channel, height, width]`.
        rows: Arc<TensorRows>,
    },
}

/// A named part of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, such as `left eye`.
    pub name: String,
    /// Where it is, in pixels of the original picture.
    pub region: Region,
}

impl Entry {
    /// Makes the entry of a picture about which nothing more is known.
    pub fn picture(path: impl Into<PathBuf>) -> Self {
        Self::Picture { path: path.into(), label: None, parts: Vec::new() }
    }

    /// Returns the file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Picture { path, .. } | Self::Tensor { path, .. } => path,
        }
    }

    /// Returns the file's name without folders, or `tensor 3`.
    pub fn name(&self) -> String {
        match self {
            Self::Picture { path, .. } => {
                path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
            }
            Self::Tensor { row, .. } => format!("tensor {row}"),
        }
    }

    /// Hashes the file of a picture, or the values of a tensor's row with their shape.
    ///
    /// # Errors
    /// Fails when the file cannot be read.
    pub fn hash(&self) -> Result<ContentHash, DataError> {
        match self {
            Self::Picture { path, .. } => ContentHash::of_file(path),
            Self::Tensor { row, rows, .. } => rows.hash(*row),
        }
    }
}

/// Makes one entry of every row of a host tensor `[n, channel, height, width]`; `path` is the file
/// it came from.
///
/// # Errors
/// Fails when the tensor has another rank, is empty, or holds no floating-point values.
pub fn tensor_entries(path: &Path, tensor: &Tensor) -> Result<Vec<Entry>, DataError> {
    if tensor.element() != Element::F32 {
        return Err(DataError::NotPictures {
            path: path.to_owned(),
            shape: tensor.shape().clone(),
        });
    }
    row_entries(path, TensorRows::of_tensor(tensor)?)
}

/// Makes one entry of every row, as [`tensor_entries`] does.
pub(crate) fn row_entries(path: &Path, rows: TensorRows) -> Result<Vec<Entry>, DataError> {
    let shape = rows.shape();
    if shape.rank() != 4 || shape.volume() == 0 {
        return Err(DataError::NotPictures { path: path.to_owned(), shape: shape.clone() });
    }
    let (numbers, rows) = (0..shape.batch(), Arc::new(rows));
    let entry = |row| Entry::Tensor { path: path.to_owned(), row, rows: Arc::clone(&rows) };
    Ok(numbers.map(entry).collect())
}

/// Checks that every part lies inside a picture of `[height, width]`.
///
/// # Errors
/// Names the first part that does not.
pub fn check_parts(path: &Path, parts: &[Part], size: [usize; 2]) -> Result<(), DataError> {
    let [height, width] = size;
    for Part { name, region } in parts {
        let end = |start: isize, extent: usize| {
            usize::try_from(start).ok().and_then(|start| start.checked_add(extent))
        };
        let bottom = end(region.top, region.height).unwrap_or(usize::MAX);
        let right = end(region.left, region.width).unwrap_or(usize::MAX);
        if bottom > height || right > width {
            let (path, part) = (path.to_owned(), name.clone());
            return Err(DataError::PartOutside { path, part, bottom, right, height, width });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_a_tensor_becomes_an_entry_with_its_own_values() {
        let tensor = Tensor::new([2, 1, 1, 3], vec![1., 2., 3., 4., 5., 6.]).unwrap();
        let entries = tensor_entries(Path::new("t.npy"), &tensor).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1].name(), "tensor 1");
        let Entry::Tensor { row, rows, .. } = &entries[1] else { panic!("no tensor") };
        let mut values = vec![0.0; 3];
        rows.write(*row, &mut values).unwrap();
        assert_eq!(values, [4., 5., 6.]);
        assert_ne!(entries[0].hash().unwrap(), entries[1].hash().unwrap());
    }

    #[test]
    fn a_tensor_that_is_no_batch_of_pictures_is_refused() {
        for shape in [&[3, 4, 4][..], &[0, 3, 4, 4]] {
            let error = tensor_entries(Path::new("t.npy"), &Tensor::zeros(shape)).unwrap_err();
            assert!(
                error.to_string().starts_with(
                    "tensor t.npy: pictures are [n, channel, height, width] with nothing empty, got"
                ),
                "{error}"
            );
        }
    }

    #[test]
    fn a_part_must_lie_inside_its_picture() {
        let region = Region { top: 2, left: 3, height: 4, width: 5 };
        let parts = [Part { name: "eye".to_owned(), region }];
        check_parts(Path::new("a.png"), &parts, [6, 8]).unwrap();
        let error = check_parts(Path::new("a.png"), &parts, [6, 7]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "part \"eye\" of a.png ends at row 6, column 8, outside the picture of 6 rows and 7 \
             columns"
        );
    }
}
