use convscope_data::Preset;
use convscope_runtime::layer::Rectifier;
use convscope_runtime::{NetworkBuilder, Shape};

use super::*;

/// A model that takes pictures of 8×12 pixels as they are, with two classes.
fn model() -> Arc<Model> {
    let mut builder = NetworkBuilder::default();
    let image = builder.input("image", Shape::from([1, 3, 8, 12])).unwrap();
    let relu = builder.layer("relu", Arc::new(Rectifier), &[image], "relu").unwrap();
    let model = Model::new(Path::new("small.onnx"), builder.finish(vec![relu]), relu);
    Arc::new(model.with(Preset::Raw, &["cat", "dog", "bird"]))
}

fn photo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/photos").join(name)
}

fn dataset(sources: &[PathBuf]) -> Result<Dataset, HostError> {
    let images = ImageSet::load(sources, &ImageOptions::default())?;
    Dataset::new(Arc::new(images), model())
}

#[test]
fn a_picture_knows_where_its_pixels_came_from() {
    let dataset = dataset(&[photo("camera.png")]).unwrap();
    let item = dataset.item(0).unwrap();
    assert_eq!(item.name, "camera.png");
    assert_eq!(item.input_size, [8, 12]);
    let size = item.original_size.unwrap();
    let mapping = item.mapping.unwrap();
    let near = |a: f64, b: usize| (a - b as f64).abs() < 1e-9;
    assert!(near(mapping.step[0] * 8.0, size[0]) && near(mapping.step[1] * 12.0, size[1]));
    let Some(Values::U8(pixels)) = dataset.pixels(0).unwrap() else { panic!("no pixels") };
    assert_eq!(pixels.shape(), [8, 12, 3]);
    // Raw input is the pixels themselves, channel by channel.
    let input = dataset.image(0).unwrap();
    let input = input.view().unwrap();
    for y in 0..8 {
        for x in 0..12 {
            for c in 0..3 {
                let pixel = f32::from(pixels[[y, x, c]]);
                assert_eq!(pixel.to_bits(), input[[0, c, y, x]].to_bits());
            }
        }
    }
}

#[test]
fn tensors_have_neither_pixels_nor_a_mapping() {
    let tensor = Tensor::zeros([2, 3, 8, 12]);
    let images = Arc::new(ImageSet::of_tensor(&tensor).unwrap());
    let dataset = Dataset::new(images, model()).unwrap();
    assert_eq!(dataset.pixels(1).unwrap(), None);
    let item = dataset.item(1).unwrap();
    assert_eq!((item.name.as_str(), item.mapping, item.original_size), ("tensor 1", None, None));
    assert_eq!(*dataset.image(1).unwrap().shape(), Shape::from([1, 3, 8, 12]));
}

#[test]
fn an_image_that_is_not_there_is_refused() {
    let dataset = dataset(&[photo("camera.png")]).unwrap();
    for error in [
        dataset.item(1).unwrap_err(),
        dataset.image(1).unwrap_err(),
        dataset.pixels(1).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "image 1: there are only 1");
    }
}

#[test]
fn labels_of_a_list_become_class_numbers_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["camera.png", "coins.png"] {
        std::fs::copy(photo(name), folder.path().join(name)).unwrap();
    }
    let list = folder.path().join("list.csv");
    std::fs::write(&list, "file,label\ncamera.png,dog\ncoins.png,2\n").unwrap();
    let known = dataset(std::slice::from_ref(&list)).unwrap();
    assert_eq!(known.item(0).unwrap().label, Some(1));
    assert_eq!(known.item(1).unwrap().label, Some(2));
    std::fs::write(&list, "file,label\ncamera.png,bog\n").unwrap();
    let error = dataset(&[list]).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("there is no class `bog`; did you mean `dog`?"), "{text}");
}

#[test]
fn a_picture_that_cannot_be_read_says_so_when_it_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.png");
    std::fs::write(&path, b"\x89PNG\r\n\x1a\n broken").unwrap();
    let dataset = dataset(&[path]).unwrap();
    let error = dataset.image(0).unwrap_err();
    assert_eq!(error.kind(), "invalid_data");
    assert!(error.to_string().contains("broken.png"), "{error}");
}

#[test]
fn many_images_are_remembered_only_for_a_while() {
    let sources = vec![photo("camera.png"); REMEMBERED + 3];
    let dataset = dataset(&sources).unwrap();
    for index in 0..dataset.len() {
        dataset.image(index).unwrap();
    }
    assert_eq!(dataset.recent.lock().unwrap().len(), REMEMBERED);
}

#[test]
fn a_tensor_in_onnx_format_yields_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.pb");
    // A TensorProto: dims [2, 3, 8, 12], data_type float, then 576 zeros as raw_data.
    let head = [10, 4, 2, 3, 8, 12, 16, 1, 74, 0x80, 0x12];
    std::fs::write(&file, [&head[..], &[0; 2304]].concat()).unwrap();
    let images = ImageSet::load(&[photo("camera.png"), file], &ImageOptions::default()).unwrap();
    let names: Vec<String> = images.entries().iter().map(Entry::name).collect();
    assert_eq!(names, ["camera.png", "tensor 0", "tensor 1"]);
    let missing = ImageSet::load(&[PathBuf::from("no/such.pb")], &ImageOptions::default());
    assert!(missing.unwrap_err().to_string().starts_with("cannot read no/such.pb: "));
}
