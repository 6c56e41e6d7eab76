use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};

use super::*;

const FORMATS: [ImageFormat; 6] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::WebP,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
    ImageFormat::Gif,
];

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A picture with noise, so that no format can shrink it to a few bytes.
fn noisy(width: u32, height: u32) -> DynamicImage {
    let noise = |x: u32, y: u32| ((x * 7919 + y * 104_729) ^ (x * y)) as u8;
    RgbImage::from_fn(width, height, |x, y| Rgb([noise(x, y), noise(y, x), 40])).into()
}

fn flat(colour: [u8; 3]) -> DynamicImage {
    RgbImage::from_pixel(16, 8, Rgb(colour)).into()
}

fn decoded(bytes: &[u8]) -> Result<Pixels, String> {
    decode_bytes(bytes, Path::new("p")).map_err(|error| error.to_string())
}

/// The first pixel of a picture.
fn first(image: &DynamicImage) -> [u8; 3] {
    let pixels = decoded(&encode(image, ImageFormat::Png)).unwrap();
    pixels.triples().next().unwrap()
}

#[test]
fn every_format_is_decoded_by_its_content() {
    for format in FORMATS {
        let pixels = decoded(&encode(&flat([200, 100, 50]), format)).unwrap();
        assert_eq!(pixels.size(), [8, 16], "{format:?}");
        for pixel in pixels.triples() {
            for (value, wanted) in pixel.into_iter().zip([200_u8, 100, 50]) {
                assert!(value.abs_diff(wanted) <= 3, "{format:?}: {pixel:?}");
            }
        }
    }
}

#[test]
fn lossless_formats_keep_every_pixel() {
    let image = noisy(23, 17);
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff] {
        let pixels = decoded(&encode(&image, format)).unwrap();
        assert_eq!(pixels.values(), image.as_bytes(), "{format:?}");
    }
}

#[test]
fn grey_and_sixteen_bits_become_eight_bit_rgb() {
    let grey = image::GrayImage::from_pixel(2, 2, image::Luma([77]));
    assert_eq!(first(&grey.into()), [77; 3]);
    let deep = image::ImageBuffer::from_pixel(2, 2, Rgb([65_535_u16, 257 * 3, 128]));
    assert_eq!(first(&deep.into()), [255, 3, 0]);
    let deep = image::ImageBuffer::from_pixel(2, 2, image::Luma([257_u16 * 9 + 130]));
    assert_eq!(first(&deep.into()), [10; 3]);
}

#[test]
fn transparency_is_composed_over_white() {
    let of = |pixel| first(&image::RgbaImage::from_pixel(2, 2, image::Rgba(pixel)).into());
    assert_eq!(of([10, 20, 30, 0]), [255; 3]);
    assert_eq!(of([10, 20, 30, 255]), [10, 20, 30]);
    assert_eq!(of([0, 255, 100, 51]), [204, 255, 224]);
}

#[test]
fn the_exif_orientation_is_applied() {
    let mut image = RgbImage::from_pixel(32, 16, Rgb([0, 0, 0]));
    for (x, y) in (0..8).flat_map(|x| (0..8).map(move |y| (x, y))) {
        image.put_pixel(x, y, Rgb([255, 255, 255]));
    }
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    // Little-endian TIFF with one entry: orientation (0x112), a short, 6 = turn clockwise.
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    encoder.write_image(&image, 32, 16, ExtendedColorType::Rgb8).unwrap();
    let pixels = decoded(&bytes).unwrap();
    assert_eq!(pixels.size(), [32, 16]);
    // The white corner went from the top left to the top right.
    assert!(pixels.triples().nth(2).unwrap()[0] < 40);
    assert!(pixels.triples().nth(13).unwrap()[0] > 215);
}

#[test]
fn only_the_first_frame_of_an_animation_is_taken() {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for colour in [[250, 0, 0], [0, 0, 250]] {
        encoder.encode_frame(image::Frame::new(flat(colour).into_rgba8())).unwrap();
    }
    drop(encoder);
    assert_eq!(decoded(&bytes).unwrap().triples().next().unwrap(), [250, 0, 0]);
}

#[test]
fn a_truncated_picture_is_refused_in_every_format() {
    for format in FORMATS {
        let bytes = encode(&noisy(64, 64), format);
        for share in [20, 50, 90, 98] {
            let error = decoded(&bytes[..bytes.len() * share / 100]).unwrap_err();
            assert!(error.starts_with("p is damaged: "), "{format:?} {share}: {error}");
        }
    }
}

#[test]
fn other_files_are_no_pictures() {
    let wanted = "p is no picture: it begins like none of PNG, JPEG, WebP, BMP, TIFF and GIF";
    assert_eq!(decoded(b"").unwrap_err(), wanted);
    assert_eq!(decoded(b"<svg xmlns='http://www.w3.org/2000/svg'/>").unwrap_err(), wanted);
    let hdr = decoded(b"#?RADIANCE\n").unwrap_err();
    assert!(hdr.starts_with("p is a picture of a kind that is not read: "), "{hdr}");
}

/// A BMP header of these sides and nothing behind it.
fn bitmap(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = encode(&flat([0; 3]), ImageFormat::Bmp);
    bytes[18..22].copy_from_slice(&width.to_le_bytes());
    bytes[22..26].copy_from_slice(&height.to_le_bytes());
    bytes
}

/// A PNG header of these sides, with its checksum, before the pixels of a small picture.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut png = encode(&flat([0; 3]), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    png
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    let wanted = "p has 60000 × 60000 pixels; at most 64000000 are decoded: cut or shrink it";
    assert_eq!(decoded(&bitmap(60_000, 60_000)).unwrap_err(), wanted);
    assert_eq!(decoded(&png(60_000, 60_000)).unwrap_err(), wanted);
}

#[test]
fn a_side_that_is_too_long_is_refused_by_the_header() {
    assert_eq!(
        decoded(&png(65_536, 8)).unwrap_err(),
        "p has 65536 × 8 pixels; sides of at most 65535 are decoded: cut or shrink it"
    );
}

#[test]
fn a_header_that_promises_more_than_the_file_holds_is_refused() {
    let (width, height) = (1_000_u32, 600_u32);
    assert!(decoded(&png(width, height)).unwrap_err().starts_with("p is damaged: "));
    for (format, place) in [(ImageFormat::Bmp, 18), (ImageFormat::Gif, 6)] {
        let mut bytes = encode(&flat([0; 3]), format);
        let wide = width.to_le_bytes();
        let side = if format == ImageFormat::Gif { 2 } else { 4 };
        bytes[place..place + side].copy_from_slice(&wide[..side]);
        bytes[place + side..place + 2 * side].copy_from_slice(&height.to_le_bytes()[..side]);
        if format == ImageFormat::Bmp {
            assert!(decoded(&bytes).unwrap_err().starts_with("p is damaged: "));
        } else {
            // A canvas of that size around a small frame is allowed: the rest is white.
            let pixels = decoded(&bytes).unwrap();
            assert_eq!(pixels.size(), [600, 1_000]);
            assert_eq!(pixels.values()[pixels.values().len() - 3..], [255; 3]);
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

#[test]
fn a_picture_without_pixels_is_refused() {
    let mut gif = encode(&flat([0; 3]), ImageFormat::Gif);
    gif[6..8].fill(0);
    assert_eq!(decoded(&gif).unwrap_err(), "p is empty: 0 × 8 pixels");
    // Other decoders refuse it in words of their own.
    assert!(decoded(&bitmap(0, 8)).unwrap_err().starts_with("p is "));
}

#[test]
fn floating_point_pictures_are_refused() {
    let image = image::Rgb32FImage::from_pixel(2, 2, Rgb([0.5_f32, 7.0, -1.0]));
    let error = decoded(&encode(&image.into(), ImageFormat::Tiff)).unwrap_err();
    assert_eq!(
        error,
        "p is a picture of a kind that is not read: floating-point pixels; save it as an 8-bit PNG"
    );
}

#[test]
fn a_file_above_the_limit_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.png");
    std::fs::File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
    let error = decode(&path).unwrap_err().to_string();
    assert!(error.ends_with("has 268435457 bytes; at most 268435456 are read"), "{error}");
}

#[test]
fn a_picture_is_hashed_as_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.png");
    std::fs::write(&path, encode(&flat([1, 2, 3]), ImageFormat::Png)).unwrap();
    let picture = read_picture(&path).unwrap();
    assert_eq!(picture.hash, ContentHash::of_file(&path).unwrap());
    assert_eq!(picture.pixels, decode(&path).unwrap());
}
