use super::*;

/// A picture whose red is its column and whose green is its row; blue is 9.
fn coordinates(height: usize, width: usize) -> Pixels {
    let pixel = |place: usize| [(place % width) as u8, (place / width) as u8, 9];
    Pixels::new(height, width, (0..height * width).flat_map(pixel).collect()).unwrap()
}

fn raw() -> Preprocessing {
    Preprocessing::preset(Preset::Raw)
}

fn refused(rules: &Preprocessing, size: [usize; 2], input: [usize; 3]) -> String {
    rules.prepare(&coordinates(size[0], size[1]), input).unwrap_err().to_string()
}

#[test]
fn raw_pixels_stay_what_they_are() {
    let prepared = raw().prepare(&coordinates(2, 3), [3, 2, 3]).unwrap();
    assert_eq!(prepared.values[..6], [0., 1., 2., 0., 1., 2.]);
    assert_eq!(prepared.values[6..12], [0., 0., 0., 1., 1., 1.]);
    assert_eq!(prepared.values[12..], [9.; 6]);
    assert_eq!((prepared.offset, prepared.step), ([0.; 2], [1.; 2]));
}

#[test]
fn every_preset_normalises_as_its_models_were_trained() {
    let pixels = Pixels::new(224, 224, [255, 51, 0].repeat(224 * 224)).unwrap();
    let first = |preset| {
        let prepared = Preprocessing::preset(preset).prepare(&pixels, [3, 224, 224]).unwrap();
        [0, 1, 2].map(|channel| prepared.values[channel * 224 * 224])
    };
    let near = |left: [f32; 3], right: [f32; 3]| {
        assert!(left.iter().zip(right).all(|(l, r)| (l - r).abs() < 1e-6), "{left:?} {right:?}");
    };
    near(first(Preset::Raw), [255., 51., 0.]);
    near(first(Preset::Keras), [1.0, -0.6, -1.0]);
    near(first(Preset::Caffe), [-103.939, 51. - 116.779, 255. - 123.68]);
    let imagenet = [(1. - 0.485) / 0.229, (0.2 - 0.456) / 0.224, -0.406 / 0.225];
    near(first(Preset::Imagenet), imagenet);
}

#[test]
fn a_crop_lies_in_the_centre_and_halves_go_to_the_even_pixel() {
    // Left over are 5 rows and 3 columns: 2.5 goes to 2, 1.5 to 2.
    let rules = Preprocessing { crop: Some([4, 4]), ..raw() };
    let prepared = rules.prepare(&coordinates(9, 7), [3, 4, 4]).unwrap();
    assert_eq!(prepared.pixels.triples().next().unwrap(), [2, 2, 9]);
    assert_eq!((prepared.offset, prepared.step), ([2., 2.], [1., 1.]));
}

#[test]
fn the_mapping_leads_back_to_the_original_pixel() {
    let resize = Some(Resize::ShorterSide { length: 64, other: LongSide::Nearest });
    let rules = Preprocessing { resize, crop: Some([48, 48]), ..raw() };
    let prepared = rules.prepare(&coordinates(200, 250), [3, 48, 48]).unwrap();
    assert!((prepared.step[0] - 3.125).abs() + (prepared.step[1] - 3.125).abs() < 1e-12);
    for (place, [red, green, _]) in prepared.pixels.triples().enumerate() {
        // The middle of the pixel; coordinates are at pixel edges.
        let at = [place / 48, place % 48].map(|cell| cell as f64 + 0.5);
        let original = [0, 1].map(|axis| prepared.offset[axis] + at[axis] * prepared.step[axis]);
        assert!((f64::from(green) + 0.5 - original[0]).abs() <= 1.0, "{place}");
        assert!((f64::from(red) + 0.5 - original[1]).abs() <= 1.0, "{place}");
    }
}

#[test]
fn one_channel_is_grey() {
    let pixels = Pixels::new(1, 2, vec![255, 0, 0, 0, 0, 255]).unwrap();
    let prepared = raw().prepare(&pixels, [1, 1, 2]).unwrap();
    assert_eq!(prepared.values, [76., 29.]);
    assert_eq!(prepared.pixels.values(), [76, 76, 76, 29, 29, 29]);
}

#[test]
fn bgr_turns_the_values_and_not_the_pixels() {
    let rules = Preprocessing { channels: Some(Channels::Bgr), ..raw() };
    let prepared = rules.prepare(&coordinates(1, 2), [3, 1, 2]).unwrap();
    assert_eq!(prepared.values, [9., 9., 0., 0., 0., 1.]);
    assert_eq!(prepared.pixels, coordinates(1, 2));
}

#[test]
fn a_mean_image_is_cropped_with_the_picture() {
    let pixels = coordinates(4, 6);
    let values: Vec<f32> = [0, 1, 2]
        .iter()
        .flat_map(|&colour| pixels.triples().map(move |pixel| f32::from(pixel[colour]) - 0.5))
        .collect();
    let mean = Tensor::new([3, 4, 6], values).unwrap();
    let rules = Preprocessing { crop: Some([2, 2]), mean: Mean::Image(mean), ..raw() };
    let prepared = rules.prepare(&pixels, [3, 2, 2]).unwrap();
    assert_eq!(prepared.values, [0.5; 12]);
    let small = Mean::Image(Tensor::filled([3, 2, 2], 1.0));
    let prepared = Preprocessing { mean: small, ..rules.clone() }.prepare(&pixels, [3, 2, 2]);
    assert_eq!(prepared.unwrap().values[..2], [1.0, 2.0]);
    let other = Preprocessing { mean: Mean::Image(Tensor::zeros([3, 5, 5])), ..rules };
    assert_eq!(
        refused(&other, [4, 6], [3, 2, 2]),
        "mean_image of preset raw: its shape is [3, 5, 5]; needed is [3, 2, 2], or the resized \
         picture's [3, 4, 6]"
    );
}

#[test]
fn what_the_network_does_not_read_is_refused_with_the_field() {
    let origin = Origin::Card("m.toml".into());
    let square = Some(Resize::ShorterSide { length: 8, other: LongSide::Nearest });
    let rules = Preprocessing { origin, resize: square, ..raw() };
    assert_eq!(
        refused(&rules, [10, 20], [3, 8, 8]),
        "resize of model card m.toml: a picture of 20 × 10 becomes 16 × 8, the network reads \
         8 × 8; add crop = [8, 8], or say resize = [8, 8]"
    );
    let cropped = Preprocessing { crop: Some([7, 7]), ..rules.clone() };
    assert_eq!(
        refused(&cropped, [10, 20], [3, 8, 8]),
        "crop of model card m.toml: it cuts out 7 × 7, the network reads 8 × 8"
    );
    let unsized_crop = Preprocessing { crop: Some([8, 8]), resize: None, ..rules.clone() };
    assert_eq!(
        refused(&unsized_crop, [20, 5], [3, 8, 8]),
        "crop of model card m.toml: 8 × 8 does not fit into the picture of 5 × 20 before it; \
         resize it larger"
    );
    let imagenet = Preprocessing::preset(Preset::Imagenet);
    assert_eq!(
        refused(&imagenet, [300, 300], [3, 227, 227]),
        "crop of preset imagenet: it cuts out 224 × 224, the network reads 227 × 227"
    );
    assert_eq!(
        refused(&imagenet, [300, 300], [1, 224, 224]),
        "channels of preset imagenet: rgb has 3, the network reads 1; say channels = \"grey\" for \
         one channel, \"rgb\" or \"bgr\" for three"
    );
    let means = Preprocessing { mean: Mean::Channels(vec![1.0, 2.0]), ..raw() };
    assert_eq!(refused(&means, [4, 4], [3, 4, 4]), "mean of preset raw: 2 numbers for 3 channels");
}

#[test]
fn a_thin_picture_does_not_grow_without_bound() {
    let imagenet = Preprocessing::preset(Preset::Imagenet);
    assert_eq!(
        refused(&imagenet, [1, 60_000], [3, 224, 224]),
        "resize of preset imagenet: a picture of 60000 × 1 would become 15360000 × 256; at most \
         64000000 pixels are made"
    );
}

#[test]
fn a_flat_picture_stays_flat_when_it_is_resized() {
    let pixels = Pixels::new(37, 53, [3, 250, 128].repeat(37 * 53)).unwrap();
    for interpolation in [Interpolation::Bilinear, Interpolation::Bicubic] {
        for size in [8, 37, 90] {
            let rules = Preprocessing { interpolation, ..raw() };
            let prepared = rules.prepare(&pixels, [3, size, size]).unwrap();
            assert!(prepared.pixels.triples().all(|pixel| pixel == [3, 250, 128]));
        }
    }
}

#[test]
fn the_normalization_turns_values_back_into_pixels() {
    let pixels = Pixels::new(1, 1, vec![10, 20, 30]).unwrap();
    for preset in Preset::ALL {
        let preprocessing =
            Preprocessing { resize: None, crop: None, ..Preprocessing::preset(preset) };
        let prepared = preprocessing.prepare(&pixels, [3, 1, 1]).unwrap();
        let form = preprocessing.normalization(3).unwrap().unwrap();
        let mut back: Vec<f64> = (0..3)
            .map(|c| (f64::from(prepared.values[c]) * form.std[c] + form.mean[c]) / form.scale)
            .map(f64::round)
            .collect();
        if form.channels == Channels::Bgr {
            back.reverse();
        }
        assert_eq!(back, [10.0, 20.0, 30.0], "{preset:?}");
    }
}

#[test]
fn a_hash_tells_rules_apart_but_not_where_they_stand() {
    let hash = |rules: &Preprocessing| rules.hash().unwrap();
    let card = |mean: Mean| Preprocessing { mean, ..raw() };
    let elsewhere = Preprocessing { origin: Origin::Card("a.toml".into()), ..raw() };
    assert_eq!(hash(&elsewhere), hash(&raw()));
    let image = |value| Mean::Image(Tensor::new([1, 1, 1], vec![value]).unwrap());
    let others = [
        Preprocessing { crop: Some([3, 4]), ..raw() },
        Preprocessing { scale: 0.5, ..raw() },
        Preprocessing { std: vec![2.0], ..raw() },
        Preprocessing { interpolation: Interpolation::Bicubic, ..raw() },
        card(Mean::Channels(vec![7.0])),
        card(image(7.0)),
        card(image(8.0)),
        raw(),
    ];
    for (place, one) in others.iter().enumerate() {
        assert!(others[..place].iter().all(|other| hash(other) != hash(one)), "{one:?}");
    }
}
