//! Data of tensors that lie in files beside the model.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::OnnxError;
use crate::limits::EXTERNAL_BYTES;
use crate::proto::StringStringEntryProto;
use crate::source::{Source, Stretch};

/// The folder of a model, out of which nothing is read.
#[derive(Debug)]
pub(crate) struct External {
    folder: PathBuf,
    /// The folder in which the model's file really lies, where the model is a link: its data may
    /// be links to the same place, as in a cache that keeps every file once.
    target: Option<PathBuf>,
    /// Bytes that may still be read: several tensors may name the same range.
    left: Cell<u64>,
    /// The files that hold data.
    files: RefCell<BTreeSet<PathBuf>>,
}

/// Data of a tensor in a file of their own.
#[derive(Debug)]
pub(crate) struct Outside {
    pub(crate) file: Source,
    pub(crate) stretch: Stretch,
}

impl External {
    /// Allows files in `folder`; an empty path is the current folder.
    pub(crate) fn inside(folder: &Path) -> Self {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let (left, files) = (Cell::new(EXTERNAL_BYTES), RefCell::default());
        Self { folder: folder.to_owned(), target: None, left, files }
    }

    /// Allows files in the folder of a model, and links to where the model is a link to.
    pub(crate) fn beside(model: &Path) -> Self {
        let target = model.canonicalize().ok().filter(|_| model.is_symlink());
        let target = target.and_then(|file| Some(file.parent()?.to_owned()));
        Self { target, ..Self::inside(model.parent().unwrap_or(Path::new(""))) }
    }

    /// Returns the files that held data, sorted.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.files.borrow().iter().cloned().collect()
    }

    /// Finds the `length` bytes that are the data of a tensor.
    ///
    /// # Errors
    /// Fails when the entries are not understood, or the file lies outside the folder, is not
    /// regular or too short.
    pub(crate) fn find(
        &self,
        tensor: &str,
        entries: &[StringStringEntryProto],
        length: u64,
    ) -> Result<Outside, OnnxError> {
        let entry = |key: &str| {
            entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
        };
        let location = entry("location").unwrap_or_default();
        let failed = |reason: String| OnnxError::ExternalData {
            tensor: tensor.to_owned(),
            location: location.to_owned(),
            reason,
        };
        let number = |key: &str| match entry(key).map(str::parse::<u64>) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(failed(format!("its {key} is not a number"))),
        };
        let offset = number("offset")?.unwrap_or(0);
        if number("length")?.is_some_and(|stated| stated != length) {
            return Err(failed(format!("its length is not the {length} bytes of the tensor")));
        }
        let path = self.resolve(location).map_err(failed)?;
        let file = Source::open(&path).map_err(|error| failed(error.to_string()))?;
        let end = offset.checked_add(length);
        if end.is_none_or(|end| end > file.length()) {
            let has = file.length();
            return Err(failed(format!(
                "the tensor needs {length} bytes from {offset} on, the file has {has}"
            )));
        }
        let left = self.left.get().checked_sub(length);
        let limit = OnnxError::Limit { what: "bytes of external data", limit: EXTERNAL_BYTES };
        self.left.set(left.ok_or(limit)?);
        self.files.borrow_mut().insert(path);
        Ok(Outside { file, stretch: Stretch { offset, length } })
    }

    fn resolve(&self, location: &str) -> Result<PathBuf, String> {
        let relative = Path::new(location);
        let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if location.is_empty() || !relative.components().all(plain) {
            return Err("only files inside the folder of the model are read".into());
        }
        let folder = self.folder.canonicalize().map_err(|error| error.to_string())?;
        let path = folder.join(relative).canonicalize().map_err(|error| error.to_string())?;
        // A link may lead out of the folder; where to, whoever laid the model there has said too.
        let beside_target = self.target.is_some() && path.parent() == self.target.as_deref();
        if path.starts_with(&folder) || beside_target {
            Ok(path)
        } else {
            Err("it is a link that leads out of the folder of the model".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    impl External {
        fn read(
            &self,
            entries: &[StringStringEntryProto],
            length: u64,
        ) -> Result<Vec<u8>, OnnxError> {
            let Outside { file, stretch } = self.find("w", entries, length)?;
            let mut bytes = Vec::new();
            file.each_piece(stretch, |piece| bytes.extend(piece))?;
            Ok(bytes)
        }
    }

    fn entries(pairs: &[(&str, &str)]) -> Vec<StringStringEntryProto> {
        let entry = |&(key, value): &(&str, &str)| StringStringEntryProto {
            key: key.into(),
            value: value.into(),
        };
        pairs.iter().map(entry).collect()
    }

    #[test]
    fn a_range_of_a_file_beside_the_model_is_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("w.bin"), [1, 2, 3, 4, 5]).unwrap();
        let external = External::inside(folder.path());
        let place = entries(&[("location", "./w.bin"), ("offset", "2"), ("length", "2")]);
        assert_eq!(external.read(&place, 2).unwrap(), [3, 4]);
    }

    #[test]
    fn a_model_in_the_current_folder_finds_its_data() {
        let place = entries(&[("location", "Cargo.toml")]);
        assert_eq!(External::inside(Path::new("")).read(&place, 9).unwrap(), b"[package]");
    }

    #[test]
    fn what_is_read_in_all_is_limited() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("w"), [0; 8]).unwrap();
        let external = External { left: Cell::new(12), ..External::inside(folder.path()) };
        let place = entries(&[("location", "w")]);
        assert!(external.read(&place, 8).is_ok());
        let error = external.read(&place, 8).unwrap_err();
        let limit = "the file holds more than 8589934592 bytes of external data";
        assert_eq!(error.to_string(), limit);
    }

    #[test]
    fn files_outside_the_folder_are_refused() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("model");
        fs::create_dir(&inner).unwrap();
        let secret = outer.path().join("secret");
        fs::write(&secret, [0; 8]).unwrap();
        let external = External::inside(&inner);
        let refusal = |location: &str| {
            external.read(&entries(&[("location", location)]), 4).unwrap_err().to_string()
        };
        assert_eq!(
            refusal("../secret"),
            "tensor w: its data in \"../secret\" cannot be used: only files inside the folder of \
             the model are read"
        );
        assert!(refusal(secret.to_str().unwrap()).contains("only files inside"));
        assert!(refusal("").contains("only files inside"));
        assert!(refusal(".").contains("not a regular file"), "{}", refusal("."));
        assert!(refusal("none").contains("cannot be used: "));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_folder_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("model");
        fs::create_dir(&inner).unwrap();
        fs::write(outer.path().join("secret"), [0; 8]).unwrap();
        std::os::unix::fs::symlink(outer.path().join("secret"), inner.join("w")).unwrap();
        let external = External::inside(&inner);
        let error = external.read(&entries(&[("location", "w")]), 4).unwrap_err();
        assert!(error.to_string().ends_with("leads out of the folder of the model"), "{error}");
    }

    /// The cache of Hugging Face: every name is a link to a file that is named after its content.
    #[cfg(unix)]
    #[test]
    fn a_model_that_is_a_link_may_have_data_where_it_leads() {
        use std::os::unix::fs::symlink;
        let cache = tempfile::tempdir().unwrap();
        for folder in ["blobs/deeper", "snapshots/main/onnx"] {
            fs::create_dir_all(cache.path().join(folder)).unwrap();
        }
        for (file, byte) in [("blobs/ab", 0), ("blobs/cd", 7), ("blobs/deeper/ef", 8), ("gh", 9)] {
            fs::write(cache.path().join(file), [byte; 4]).unwrap();
        }
        let folder = cache.path().join("snapshots/main/onnx");
        let model = folder.join("model.onnx");
        symlink("../../../blobs/ab", &model).unwrap();
        symlink("../../../blobs/cd", folder.join("model.onnx_data")).unwrap();
        symlink("../../../blobs/deeper/ef", folder.join("deeper")).unwrap();
        symlink("../../../gh", folder.join("secret")).unwrap();
        let place = |location: &str| entries(&[("location", location)]);
        let external = External::beside(&model);
        assert_eq!(external.read(&place("model.onnx_data"), 4).unwrap(), [7; 4]);
        for location in ["deeper", "secret"] {
            let error = external.read(&place(location), 4).unwrap_err().to_string();
            assert!(error.ends_with("leads out of the folder of the model"), "{error}");
        }
        // The file cannot ask for what lies there: only names beside the link count.
        assert!(external.read(&place("cd"), 4).is_err());
        assert!(external.read(&place("../../../blobs/cd"), 4).is_err());
        // A model that is no link has no other place.
        fs::remove_file(&model).unwrap();
        fs::write(&model, [0; 4]).unwrap();
        let external = External::beside(&model);
        assert!(external.read(&place("model.onnx_data"), 4).is_err());
    }

    #[test]
    fn lengths_are_checked_before_memory_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("w"), [0; 8]).unwrap();
        let external = External::inside(folder.path());
        let refusal = |pairs: &[(&str, &str)], length: u64| {
            external.read(&entries(pairs), length).unwrap_err().to_string()
        };
        let far = refusal(&[("location", "w"), ("offset", "18446744073709551615")], 4);
        assert!(far.ends_with("bytes from 18446744073709551615 on, the file has 8"), "{far}");
        assert!(refusal(&[("location", "w")], 1 << 60).ends_with("the file has 8"));
        assert!(refusal(&[("location", "w"), ("length", "5")], 4).contains("its length is not"));
        assert!(refusal(&[("location", "w"), ("offset", "x")], 4).contains("is not a number"));
    }
}
