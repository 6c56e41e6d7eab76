//! Renders SVG files to PNG with the bundled font only, as the tests see them:
//! `RENDER_DIR=pictures cargo run -p convscope-report --example render_svg -- figures/*.svg`.

#![allow(clippy::print_stdout, reason = "an example is a program")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var_os("RENDER_DIR").ok_or("RENDER_DIR names no folder")?);
    fs::create_dir_all(&out)?;
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(include_bytes!("../fonts/Inter-Regular.ttf").to_vec());
    fonts.load_font_data(include_bytes!("../fonts/Inter-SemiBold.ttf").to_vec());
    let options = Options { fontdb: Arc::new(fonts), ..Options::default() };
    for file in std::env::args_os().skip(1).map(PathBuf::from) {
        let tree = Tree::from_str(&fs::read_to_string(&file)?, &options)?;
        let size = tree.size().to_int_size();
        let mut pixmap = Pixmap::new(size.width(), size.height()).ok_or("the figure is empty")?;
        resvg::render(&tree, Transform::default(), &mut pixmap.as_mut());
        let name =
            Path::new(file.file_name().ok_or("a folder is no figure")?).with_extension("png");
        pixmap.save_png(out.join(&name))?;
        println!("{} {} × {}", out.join(&name).display(), size.width(), size.height());
    }
    Ok(())
}
