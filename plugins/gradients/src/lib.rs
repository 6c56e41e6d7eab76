//! Saliency, guided backpropagation and deconvolution.
