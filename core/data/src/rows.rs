//! The pictures of a tensor: in memory, or in a file of which each is read when it is needed.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Take};
use std::path::PathBuf;
use std::time::SystemTime;

use convscope_runtime::{BackendError, Shape, Tensor};

use crate::{ContentHash, DataError, file};

/// Bytes of a file that are read together: small memory stays in the cache.
const BLOCK: usize = 1 << 16;

/// Pictures `[n, channel, height, width]`, one a row.
#[derive(Debug)]
pub struct TensorRows {
    shape: Shape,
    place: Place,
}

/// Where the values are.
#[derive(Debug)]
enum Place {
    Memory(Tensor),
    File(Values),
}

/// Little-endian single-precision values in a file.
#[derive(Debug)]
pub(crate) struct Values {
    /// The file.
    pub(crate) path: PathBuf,
    /// Where the first value begins.
    pub(crate) start: u64,
    /// Which version of the file it was.
    pub(crate) version: Version,
}

/// What tells a file from the same one after it was written to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Version {
    bytes: u64,
    /// When it was last written, where the system knows.
    written: Option<SystemTime>,
}

impl Version {
    pub(crate) fn of(file: &Metadata) -> Self {
        Self { bytes: file.len(), written: file.modified().ok() }
    }
}

impl TensorRows {
    /// Takes the rows of a host tensor.
    ///
    /// # Errors
    /// Fails when the tensor holds no floating-point values, or lies on a device.
    pub(crate) fn of_tensor(tensor: &Tensor) -> Result<Self, DataError> {
        tensor.values()?;
        Ok(Self { shape: tensor.shape().clone(), place: Place::Memory(tensor.clone()) })
    }

    /// Takes values that a file holds row by row.
    pub(crate) fn of_file(shape: Shape, values: Values) -> Self {
        Self { shape, place: Place::File(values) }
    }

    /// Returns the shape of all rows.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Writes the values of a row where they are needed.
    ///
    /// # Errors
    /// Fails when there is no such row, when it does not fill the place, and when the file cannot
    /// be read or is another than it was.
    pub fn write(&self, row: usize, place: &mut [f32]) -> Result<(), DataError> {
        let count = self.row_shape(row)?.volume();
        if place.len() != count {
            let shape = Shape::from([place.len()]);
            return Err(BackendError::WrongCount { shape, count }.into());
        }
        match &self.place {
            Place::Memory(tensor) => {
                place.copy_from_slice(tensor.row(row)?.unwrap_or_default());
                Ok(())
            }
            Place::File(values) => values.read(row, count, |file| read_values(file, place)),
        }
    }

    /// Hashes the values of a row with their shape, as [`ContentHash::of_tensor`] does.
    ///
    /// # Errors
    /// Fails when there is no such row, and when the file cannot be read or is another than it was.
    pub fn hash(&self, row: usize) -> Result<ContentHash, DataError> {
        let shape = self.row_shape(row)?;
        match &self.place {
            Place::Memory(tensor) => {
                let values = tensor.row(row)?.unwrap_or_default();
                Ok(ContentHash::of_values(shape.extents(), values))
            }
            Place::File(values) => values.read(row, shape.volume(), |file| {
                ContentHash::of_value_bytes(shape.extents(), file)
            }),
        }
    }

    /// Returns the shape of a row by itself.
    fn row_shape(&self, row: usize) -> Result<Shape, DataError> {
        if row < self.shape.batch() {
            return Ok(self.shape.with_batch(1));
        }
        let (kernel, expected) = ("row", format!("more than {row} pictures"));
        Err(BackendError::Incompatible { kernel, expected, actual: self.shape.clone() }.into())
    }
}

impl Values {
    /// Hands the bytes of a row of `count` values to a function.
    fn read<T>(
        &self,
        row: usize,
        count: usize,
        function: impl FnOnce(&mut Take<File>) -> io::Result<T>,
    ) -> Result<T, DataError> {
        let failed = |source| DataError::Read { path: self.path.clone(), source };
        let changed = || DataError::Changed { path: self.path.clone() };
        let (mut file, about) = file::open(&self.path)?;
        if Version::of(&about) != self.version {
            return Err(changed());
        }
        let bytes = count as u64 * size_of::<f32>() as u64;
        file.seek(SeekFrom::Start(self.start + row as u64 * bytes)).map_err(failed)?;
        let mut row = file.take(bytes);
        let result = function(&mut row).map_err(|source| match source.kind() {
            // It was cut off after it had been opened.
            ErrorKind::UnexpectedEof => changed(),
            _ => failed(source),
        })?;
        // Somebody may have written to it while it was read.
        let about = row.get_ref().metadata().map_err(failed)?;
        if row.limit() > 0 || Version::of(&about) != self.version {
            return Err(changed());
        }
        Ok(result)
    }
}

fn read_values(file: &mut impl Read, place: &mut [f32]) -> io::Result<()> {
    let mut block = vec![0; BLOCK.min(size_of_val(place))];
    for values in place.chunks_mut(BLOCK / size_of::<f32>()) {
        let bytes = &mut block[..size_of_val(values)];
        file.read_exact(bytes)?;
        for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
            *value = f32::from_le_bytes(*bytes);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;
    use crate::npy::{read_rows, write_npy};

    /// Larger than a block, and no multiple of one.
    const SHAPE: [usize; 4] = [3, 3, 90, 70];

    fn tensor(shape: [usize; 4]) -> Tensor {
        let values = (0..shape.iter().product::<usize>()).map(|i| i as f32 - 7.5).collect();
        Tensor::new(shape, values).unwrap()
    }

    fn file(tensor: &Tensor) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        write_npy(&path, tensor).unwrap();
        (folder, path)
    }

    fn row_of(rows: &TensorRows, row: usize) -> Result<Vec<f32>, String> {
        let mut place = vec![f32::NAN; rows.shape().with_batch(1).volume()];
        rows.write(row, &mut place).map_err(|error| error.to_string())?;
        Ok(place)
    }

    #[test]
    fn rows_and_their_hashes_are_the_same_in_a_file_and_in_memory() {
        for shape in [SHAPE, [2, 1, 1, 1], [1, 4, 64, 64]] {
            let tensor = tensor(shape);
            let (_folder, path) = file(&tensor);
            let (there, here) =
                (read_rows(&path).unwrap(), TensorRows::of_tensor(&tensor).unwrap());
            assert!(matches!(there.place, Place::File(_)));
            for row in 0..shape[0] {
                let values = tensor.row(row).unwrap().unwrap();
                assert_eq!(row_of(&there, row).unwrap(), values);
                assert_eq!(row_of(&here, row).unwrap(), values);
                let one = Tensor::new(tensor.shape().with_batch(1), values.to_vec()).unwrap();
                let hash = ContentHash::of_tensor(&one).unwrap();
                assert_eq!([there.hash(row).unwrap(), here.hash(row).unwrap()], [hash; 2]);
            }
        }
    }

    #[test]
    fn a_row_that_is_not_there_or_does_not_fit_is_refused() {
        let tensor = tensor([2, 1, 2, 3]);
        let (_folder, path) = file(&tensor);
        for rows in [read_rows(&path).unwrap(), TensorRows::of_tensor(&tensor).unwrap()] {
            let expected = "row: expected more than 2 pictures, got shape [2, 1, 2, 3]";
            assert_eq!(row_of(&rows, 2).unwrap_err(), expected);
            assert_eq!(rows.hash(2).unwrap_err().to_string(), expected);
            let error = rows.write(0, &mut [0.0; 5]).unwrap_err();
            assert_eq!(error.to_string(), "shape [5] needs 5 values, got 6");
        }
        assert!(TensorRows::of_tensor(&Tensor::indices([1, 1, 1, 1], vec![3]).unwrap()).is_err());
    }

    #[test]
    fn a_file_that_changed_since_it_was_listed_is_not_read() {
        let changed = |path: &Path, rows: &TensorRows| {
            let expected = format!("{} changed while it was in use", path.display());
            assert_eq!(row_of(rows, 0).unwrap_err(), expected);
            assert_eq!(rows.hash(0).unwrap_err().to_string(), expected);
        };
        let (_folder, path) = file(&tensor(SHAPE));
        let rows = read_rows(&path).unwrap();
        write_npy(&path, &tensor([4, 3, 90, 70])).unwrap();
        changed(&path, &rows);
        let rows = read_rows(&path).unwrap();
        let later = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 31);
        File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        changed(&path, &rows);
        std::fs::remove_file(&path).unwrap();
        let error = row_of(&rows, 0).unwrap_err();
        assert!(error.starts_with(&format!("cannot read {}: ", path.display())), "{error}");
    }
}
