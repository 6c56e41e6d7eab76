//! Images.

use convscope_sdk::fake::FakeHost;
use ndarray::s;
use serde_json::json;

use crate::probe::{check, images, run};

#[test]
fn tensors_are_handed_out_as_they_are_and_have_no_pixels() {
    check(|host, _| {
        let set = host.images("images")?;
        assert_eq!((set.len(), set.is_empty()), (3, false));
        assert_eq!(set.input(2)?, images(3).slice(s![2..3, .., .., ..]).into_dyn());
        assert_eq!(set.item(1)?.name, "tensor 1");
        assert_eq!(set.item(1)?.original_size, None);
        assert!(set.pixels(0)?.is_none());
        Ok(())
    });
}

#[test]
fn pictures_have_pixels_and_a_mapping_to_the_original() {
    let host = FakeHost::new().with_pictures("images", images(1));
    run(&host, &json!({}), |host, _| {
        let set = host.images("images")?;
        let pixels = set.pixels(0)?.unwrap();
        assert_eq!(pixels.shape(), [6, 6, 3]);
        let expected = (128.0 + 64.0 * images(1)[[0, 1, 2, 3]]).round().clamp(0.0, 255.0);
        assert_eq!(f32::from(pixels[[2, 3, 1]]), expected);
        let item = set.item(0)?;
        assert_eq!((item.original_size, item.mapping.unwrap().step), (Some([12, 12]), [2.0, 2.0]));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_selection_keeps_the_given_order_and_can_be_selected_from() {
    check(|host, _| {
        let chosen = host.images("images")?.select(&[2, 0, 2])?;
        assert_eq!(chosen.item(2)?.name, "tensor 2");
        assert_eq!(chosen.select(&[1])?.item(0)?.name, "tensor 0");
        assert!(chosen.select(&[])?.is_empty());
        let beyond = chosen.select(&[3]).err().unwrap();
        assert_eq!(beyond.to_string(), "image 3 of 3 images");
        Ok(())
    });
}

#[test]
fn images_made_by_the_plugin_are_checked() {
    check(|host, _| {
        let made = host.images_from(images(2))?;
        assert_eq!((made.len(), made.item(1)?.name), (2, "tensor 1".to_owned()));
        let wrong = host.images_from(ndarray::ArrayD::zeros(vec![1, 3, 6, 6])).err().unwrap();
        assert_eq!(wrong.to_string(), "images of shape [1, 3, 6, 6] instead of [n, 2, 6, 6]");
        Ok(())
    });
}

#[test]
fn a_run_without_images_is_told_which_parameter_they_are_missing_from() {
    let error = run(&FakeHost::new(), &json!({}), |host, _| host.images("images").map(|_| ()));
    assert_eq!(error.unwrap_err().to_string(), "`images`: no pictures were given");
}

#[test]
fn images_that_do_not_fit_the_network_are_refused_before_the_run() {
    let host = FakeHost::new().with_tensors("images", ndarray::ArrayD::zeros(vec![1, 3, 4, 4]));
    assert_eq!(
        run(&host, &json!({}), |_, _| Ok(())).unwrap_err().to_string(),
        "images `images`: expected shape [n, 2, 6, 6], got [1, 3, 4, 4]"
    );
}
