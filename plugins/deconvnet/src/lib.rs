//! Projects the strongest activations of feature maps back to the picture.
