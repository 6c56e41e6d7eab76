//! The default kernel that takes values from where maxima stood.

use crate::{BackendError, Computed, Overlap, Shape, Tensor};

/// Takes what lies at every switch of a host tensor of maps.
pub(crate) fn unpooling_adjoint(signal: &Tensor, switches: &Tensor, overlap: Overlap) -> Computed {
    let wrong = |expected: String, actual: &Shape| BackendError::Incompatible {
        kernel: "unpooling_adjoint",
        expected,
        actual: actual.clone(),
    };
    let maps = |shape: &Shape| {
        let maps = shape.as_maps();
        maps.ok_or_else(|| wrong("maps [batch, channel, height, width]".into(), shape))
    };
    let [batch, channels, height, width] = maps(signal.shape())?;
    let [images, planes, rows, columns] = maps(switches.shape())?;
    if [images, planes] != [batch, channels] {
        let expected = format!("switches for {batch} images of {channels} channels");
        return Err(wrong(expected, switches.shape()));
    }
    let (area, cells) = (height * width, rows * columns);
    let mut taken = Vec::with_capacity(switches.shape().volume());
    let (values, places) = (signal.values()?, switches.positions()?);
    let mut last = vec![None; area];
    for plane in 0..batch * channels {
        let (values, places) = (&values[plane * area..][..area], &places[plane * cells..][..cells]);
        for (index, &place) in places.iter().enumerate() {
            let on_map = last.get_mut(place as usize);
            *on_map
                .ok_or_else(|| wrong("switches that lie on the map".into(), signal.shape()))? =
                Some(index);
        }
        taken.extend(places.iter().enumerate().map(|(index, &place)| {
            let stays = overlap == Overlap::Sum || last[place as usize] == Some(index);
            if stays { values[place as usize] } else { 0.0 }
        }));
    }
    Tensor::new(switches.shape().clone(), taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let refusal = |signal: &[usize], switches: &[usize]| {
            let places = vec![8; Shape::new(switches).volume()];
            let switches = Tensor::indices(switches, places).unwrap();
            let refused = unpooling_adjoint(&Tensor::zeros(signal), &switches, Overlap::Sum);
            refused.unwrap_err().to_string()
        };
        assert_eq!(
            refusal(&[1, 2, 2, 4], &[1, 2, 1, 1]),
            "unpooling_adjoint: expected switches that lie on the map, got shape [1, 2, 2, 4]"
        );
        assert_eq!(
            refusal(&[1, 2, 2, 4], &[1, 1, 1, 1]),
            "unpooling_adjoint: expected switches for 1 images of 2 channels, got shape [1, 1, 1, 1]"
        );
        assert_eq!(
            refusal(&[2, 4], &[1, 1, 1, 1]),
            "unpooling_adjoint: expected maps [batch, channel, height, width], got shape [2, 4]"
        );
    }
}
