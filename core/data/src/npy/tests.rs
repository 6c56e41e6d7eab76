use std::fs;

use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;

fn refused(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    fs::write(&path, bytes).unwrap();
    let error = read_npy(&path).unwrap_err().to_string();
    error.replace(path.to_str().unwrap(), "a.npy")
}

fn read(bytes: &[u8]) -> Tensor {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    fs::write(&path, bytes).unwrap();
    read_npy(&path).unwrap()
}

/// A file of version 1 with this header and these values.
fn file(descr: &str, order: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

proptest! {
    #[test]
    fn what_is_written_is_read(values: Vec<f32>, extra in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let shape = if extra { vec![1, values.len()] } else { vec![values.len()] };
        write_npy(&path, &Tensor::new(&shape[..], values.clone()).unwrap()).unwrap();
        let tensor = read_npy(&path).unwrap();
        prop_assert_eq!(tensor.shape().extents(), &shape[..]);
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(tensor.values().unwrap()), bits(&values));
    }
}

#[test]
fn positions_are_written_as_unsigned_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    write_npy(&path, &Tensor::indices([2], vec![7, u32::MAX]).unwrap()).unwrap();
    let array: ndarray::Array1<u32> = ndarray_npy::read_npy(&path).unwrap();
    assert_eq!(array.to_vec(), [7, u32::MAX]);
}

#[test]
fn other_elements_and_orders_become_row_major_floats() {
    assert_eq!(
        read(&file("'|u1'", "False", "(3,)", &[0, 7, 255])).values().unwrap(),
        [0., 7., 255.]
    );
    let doubles: Vec<u8> = [0.1_f64, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(read(&file("'<f8'", "False", "(2,)", &doubles)).values().unwrap(), [0.1, -2.0]);
    let swapped = 1.5_f32.to_be_bytes();
    assert_eq!(read(&file("'>f4'", "False", "()", &swapped)).values().unwrap(), [1.5]);
    let columns = read(&file("'|u1'", "True", "(2, 3)", &[1, 4, 2, 5, 3, 6]));
    assert_eq!(columns.values().unwrap(), [1., 2., 3., 4., 5., 6.]);
}

#[test]
fn rows_of_other_elements_and_orders_are_those_of_the_array() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let singles = |bytes: fn(f32) -> [u8; 4]| (0..12_u8).flat_map(move |i| bytes(i.into()));
    let doubles = (0..12_u8).flat_map(|i| f64::from(i).to_le_bytes()).collect();
    for (descr, order, values) in [
        ("'<f4'", "False", singles(f32::to_le_bytes).collect::<Vec<u8>>()),
        ("'<f4'", "True", singles(f32::to_le_bytes).collect()),
        ("'>f4'", "False", singles(f32::to_be_bytes).collect()),
        ("'<f8'", "True", doubles),
        ("'|u1'", "False", (0..12).collect()),
    ] {
        fs::write(&path, file(descr, order, "(2, 1, 2, 3)", &values)).unwrap();
        let (rows, array) = (read_rows(&path).unwrap(), read_npy(&path).unwrap());
        for row in 0..2 {
            let mut place = [f32::NAN; 6];
            rows.write(row, &mut place).unwrap();
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
            let expected = array.row(row).unwrap().unwrap();
            assert_eq!(bits(&place), bits(expected), "{descr} {order} {row}");
        }
    }
}

#[test]
fn other_types_of_elements_are_refused_by_name() {
    assert_eq!(
        refused(&file("'<i8'", "False", "(1,)", &[0; 8])),
        "array a.npy has elements of type <i8; read are float32, float64 and uint8: convert it \
         with array.astype(\"float32\")"
    );
    let record = refused(&file("[('a', '<f4')]", "False", "(1,)", &[0; 4]));
    assert!(record.contains("elements of type [('a', '<f4')]"), "{record}");
}

#[test]
fn a_size_that_the_file_does_not_have_is_refused_before_it_is_allocated() {
    assert_eq!(
        refused(&file("'<f4'", "False", "(1000000, 1000000)", &[0; 8])),
        "array a.npy: its header promises shape [1000000, 1000000] of 4 bytes an element, 8 bytes \
         follow"
    );
    assert!(refused(&file("'<f4'", "False", "(9223372036854775807, 4)", &[])).contains("promises"));
    assert!(refused(&file("'|u1'", "False", "(2,)", &[0; 3])).contains("3 bytes follow"));
}

#[test]
fn damaged_headers_are_refused() {
    assert_eq!(refused(b"PK\x03\x04"), "array a.npy: it does not begin like a .npy file");
    assert_eq!(
        refused(b"\x93NUMPY\x09\x00aaaa"),
        "array a.npy: version 9 of the format is not known"
    );
    let whole = file("'<f4'", "False", "(1,)", &[0; 4]);
    for length in 6..whole.len() - 4 {
        assert_eq!(refused(&whole[..length]), "array a.npy: the file ends inside its header");
    }
    let long = [b"\x93NUMPY\x02\x00\xff\xff\xff\xff".as_slice(), &[b' '; 100]].concat();
    assert_eq!(
        refused(&long),
        "array a.npy: its header has 4294967307 bytes; at most 65536 are read"
    );
    // The parser of headers is recursive.
    let deep = "(".repeat(20_000);
    assert_eq!(
        refused(&file(&deep, "False", "(1,)", &[])),
        "array a.npy: its header has brackets nested deeper than 8"
    );
    let error = refused(&file("'<f4'", "Maybe", "(1,)", &[0; 4]));
    assert!(error.starts_with("array a.npy: its header cannot be understood: "), "{error}");
}

#[test]
fn a_double_that_no_float_holds_is_refused() {
    let values: Vec<u8> = [f64::INFINITY, 1e300].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(
        refused(&file("'<f8'", "False", "(2,)", &values)),
        "array a.npy: 1e300 is too large for float32"
    );
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let tensor = Tensor::zeros([1]);
    let error = write_npy(Path::new("no/such/folder/a.npy"), &tensor).unwrap_err().to_string();
    assert!(error.starts_with("cannot write no/such/folder/a.npy: "), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_noticed() {
    let error = write_npy(Path::new("/dev/full"), &Tensor::zeros([1])).unwrap_err().to_string();
    assert!(error.starts_with("cannot write /dev/full: "), "{error}");
}
