//! Arrays as `.npy`, tables as `.csv`.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use convscope_protocol::table::Cell;
use convscope_protocol::{Array, Table, Values};
use ndarray_npy::{WriteNpyError, WriteNpyExt as _};

use crate::ReportError;

/// Writes an array so that numpy reads it.
pub(crate) fn write_array(path: &Path, array: &Array) -> Result<(), ReportError> {
    let mut file = BufWriter::new(File::create(path).map_err(|fault| storage(path, fault))?);
    let written = match &array.values {
        Values::F32(values) => values.write_npy(&mut file),
        Values::U32(values) => values.write_npy(&mut file),
        Values::U8(values) => values.write_npy(&mut file),
    };
    written.map_err(|fault| match fault {
        WriteNpyError::Io(fault) => storage(path, fault),
        other => storage(path, io::Error::other(other)),
    })?;
    file.flush().map_err(|fault| storage(path, fault))
}

/// Writes a table with one line of headings; numbers keep all their digits.
pub(crate) fn write_table(path: &Path, table: &Table) -> Result<(), ReportError> {
    check_table(table)?;
    let text = csv(table).map_err(|fault| storage(path, fault))?;
    std::fs::write(path, text).map_err(|fault| storage(path, fault))
}

/// Checks that every row has a cell for every column.
pub(crate) fn check_table(table: &Table) -> Result<(), ReportError> {
    let expected = table.columns.len();
    match table.rows.iter().position(|row| row.len() != expected) {
        None => Ok(()),
        Some(row) => Err(ReportError::RaggedTable {
            table: table.name.clone(),
            row,
            expected,
            actual: table.rows[row].len(),
        }),
    }
}

fn csv(table: &Table) -> Result<Vec<u8>, io::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(table.columns.iter().map(|column| &column.name))?;
    for row in &table.rows {
        writer.write_record(row.iter().map(cell))?;
    }
    writer.into_inner().map_err(|fault| io::Error::other(fault.to_string()))
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Integer(value) => value.to_string(),
        Cell::Number(value) => value.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Empty => String::new(),
    }
}

fn storage(path: &Path, source: io::Error) -> ReportError {
    ReportError::Storage { action: "write", path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use convscope_protocol::array::ArrayMeta;
    use convscope_protocol::table::Column;
    use ndarray::{ArrayD, IxDyn};
    use ndarray_npy::ReadNpyExt as _;

    use super::*;

    fn column(name: &str) -> Column {
        Column { name: name.into(), unit: String::new(), decimals: Some(1) }
    }

    fn table(rows: Vec<Vec<Cell>>) -> Table {
        let columns = vec![column("picture"), column("activation")];
        Table { name: "strongest".into(), caption: String::new(), columns, rows }
    }

    #[test]
    fn an_array_is_read_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let values =
            ArrayD::from_shape_vec(IxDyn(&[2, 1, 2]), vec![1.5_f32, -0.0, 3.0, 1e-30]).unwrap();
        let array =
            Array { name: "a".into(), meta: ArrayMeta::default(), values: values.clone().into() };
        write_array(&path, &array).unwrap();
        let read = ArrayD::<f32>::read_npy(File::open(&path).unwrap()).unwrap();
        assert_eq!(read, values);
    }

    #[test]
    fn tables_quote_what_needs_it_and_keep_all_digits() {
        let rows = vec![
            vec![Cell::Text("a \"b\", c".into()), Cell::Number(0.123_456_789)],
            vec![Cell::Empty, Cell::Integer(-3)],
        ];
        let text = String::from_utf8(csv(&table(rows)).unwrap()).unwrap();
        assert_eq!(text, "picture,activation\n\"a \"\"b\"\", c\",0.123456789\n,-3\n");
    }

    #[test]
    fn a_row_with_too_few_cells_is_refused() {
        let fault = check_table(&table(vec![vec![Cell::Integer(1)]])).unwrap_err();
        assert_eq!(fault.to_string(), "table `strongest`, row 0: expected 2 cells, got 1");
    }
}
