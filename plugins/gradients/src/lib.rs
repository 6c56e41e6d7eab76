//! The gradient family: what in a picture raises or lowers a class score or a unit.
//!
//! `saliency`, `guided_backprop` and `deconvolution` differ only in what a rectifier does to the
//! signal on its way back; see [`convscope_sdk::Method`].

mod figure;
mod parameters;
mod unit;

pub use parameters::Parameters;

use convscope_sdk::protocol::array::ArrayMeta;
use convscope_sdk::protocol::{Array, Axis};
use convscope_sdk::{
    Amplitude, Analysis, AnalysisError, Host, Images, Method, Normalization, Overlap,
    export_plugin, input_channels, pixel_channels,
};
use ndarray::{Array4, Axis as Dimension};

use crate::figure::Setting;

/// Runs a method for every picture and emits `attribution` and its figure.
fn attribute(
    host: &Host<'_>,
    method: Method,
    name: &str,
    parameters: &Parameters,
) -> Result<(), AnalysisError> {
    let model = host.model()?;
    let images = host.images("images")?;
    host.progress(0.0, "looking at the pictures")?;
    let (starts, explained) = unit::starts(&model, &images, parameters)?;
    let count = images.len();
    let composite = method.composite(parameters.overlap, parameters.lrn);
    let mut attribution: Option<Array4<f32>> = None;
    model.attribute(&images, &starts, &composite, &[], |batch| {
        let signals = batch.values(0)?.into_dimensionality::<ndarray::Ix4>()?;
        let (_, channels, height, width) = signals.dim();
        let all =
            attribution.get_or_insert_with(|| Array4::zeros([count, channels, height, width]));
        for (row, image) in batch.range().enumerate() {
            let signal = signals.index_axis(Dimension(0), row);
            all.index_axis_mut(Dimension(0), image).assign(&signal);
        }
        let done = batch.range().end;
        host.progress(done as f64 / count as f64, &format!("{done} of {count} pictures"))
    })?;
    let Some(attribution) = attribution else {
        return Err(AnalysisError::parameter("images", "there are no pictures"));
    };
    let names = (0..count)
        .map(|index| Ok(images.item(index)?.name))
        .collect::<Result<Vec<_>, AnalysisError>>()?;
    let has_pictures = emit_pictures(host, &images, &names)?;
    let setting = Setting {
        method: name,
        names: &names,
        explained: &explained,
        options: &options_in_words(parameters),
        has_pictures,
    };
    let figure = figure::figure(&attribution, &setting);
    let drawable = matches!(attribution.shape()[1], 1 | 3);
    let axes = vec![
        Axis::labelled("image", names.clone()),
        input_channels(model.description()),
        Axis::named("row"),
        Axis::named("column"),
    ];
    let doc = "What was carried back to the network's input, in its units and channel order.";
    host.emit_array(Array {
        name: "attribution".to_owned(),
        meta: ArrayMeta { axes, unit: String::new(), doc: doc.to_owned() },
        values: attribution.into_dyn().into(),
    })?;
    if drawable {
        host.emit_figure(&figure)?;
    } else {
        host.note("No figure is drawn: the model's input has neither one nor three channels.")?;
    }
    host.progress(1.0, "done")
}

/// Emits the pictures as the network sees them, channels first; says whether there are any.
fn emit_pictures(
    host: &Host<'_>,
    images: &Images<'_>,
    names: &[String],
) -> Result<bool, AnalysisError> {
    let mut pictures: Option<Array4<u8>> = None;
    for image in 0..images.len() {
        let Some(pixels) = images.pixels(image)? else { return Ok(false) };
        let pixels = pixels.permuted_axes([2, 0, 1]);
        let (channels, height, width) = pixels.dim();
        let all =
            pictures.get_or_insert_with(|| Array4::zeros([images.len(), channels, height, width]));
        all.index_axis_mut(Dimension(0), image).assign(&pixels);
    }
    let Some(pictures) = pictures else { return Ok(false) };
    let image = Axis::labelled("image", names.to_vec());
    let axes = vec![image, pixel_channels(), Axis::named("row"), Axis::named("column")];
    let doc = "The pictures at the size of the network's input, before normalization.";
    host.emit_array(Array {
        name: "picture".to_owned(),
        meta: ArrayMeta { axes, unit: "grey level".to_owned(), doc: doc.to_owned() },
        values: pictures.into_dyn().into(),
    })?;
    Ok(true)
}

fn options_in_words(parameters: &Parameters) -> String {
    let start = match parameters.start {
        Amplitude::Activation => "its activation",
        Amplitude::One => "1",
    };
    let overlap = match parameters.overlap {
        Overlap::Sum => "signals add up",
        Overlap::Overwrite => "the last one wins",
    };
    let lrn = match parameters.lrn {
        Normalization::Exact => "",
        Normalization::Skip => "; response normalizations are not inverted",
    };
    format!(
        "The signal starts from one unit that holds {start}; where pooling windows overlap, \
         {overlap}{lrn}."
    )
}

/// What the documentation of all three analyses says about their results.
macro_rules! documented {
    ($first:literal) => {
        concat!(
            $first,
            "\n\nArray: `attribution` [image, channel, height, width], in units and channel order \
             of the network's input; `picture`, where there are pictures. One figure."
        )
    };
}

/// Defines an analysis of the family.
macro_rules! analysis {
    ($type:ident, $id:literal, $name:literal, $method:expr, $reference:literal, $doc:literal) => {
        #[doc = concat!("The analysis `", $id, "`.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $type;

        impl Analysis for $type {
            const ID: &'static str = $id;
            const NAME: &'static str = $name;
            const DOC: &'static str = documented!($doc);
            const REFERENCE: &'static str = $reference;
            const CATEGORY: &'static str = "attribution";
            const DETERMINISTIC: bool = true;
            const NEEDS_BACKWARD: bool = true;
            type Parameters = Parameters;

            fn run(&self, host: &Host<'_>, parameters: Parameters) -> Result<(), AnalysisError> {
                attribute(host, $method, $name, &parameters)
            }
        }
    };
}

analysis!(
    Saliency,
    "saliency",
    "Saliency",
    Method::Gradient,
    "Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional Networks (2013), section 3",
    "Computes the signed gradient of a class score, or of a unit, with respect to the picture."
);

analysis!(
    GuidedBackprop,
    "guided_backprop",
    "Guided backpropagation",
    Method::Guided,
    "Springenberg et al., Striving for Simplicity (2014), section 3.4",
    "Carries the score of a class, or a unit, back like the gradient, but rectifies the signal at \
     every rectifier: only what raises the unit through positive signals remains."
);

analysis!(
    Deconvolution,
    "deconvolution",
    "Deconvolution",
    Method::Deconvnet,
    "Zeiler & Fergus, Visualizing and Understanding Convolutional Networks (2013), section 2.1",
    "Carries the score of a class, or a unit, back through a deconvnet: unpooling by the picture's \
     switches, rectifying the signal whatever the layer's input was, filtering with the transposed \
     filters."
);

export_plugin! {
    id: "org.convscope.gradients",
    name: "Gradients",
    analyses: [Deconvolution, GuidedBackprop, Saliency],
}
