//! The layers of five networks, each different one once.

/// A convolution: channels, filters, rows and columns of the map, kernel, stride, padding, groups.
pub(crate) struct Convolution(
    pub(crate) &'static str,
    pub(crate) usize,
    pub(crate) usize,
    pub(crate) usize,
    pub(crate) usize,
    pub(crate) usize,
    pub(crate) usize,
    pub(crate) usize,
);

/// The convolutions.
pub(crate) const CONVOLUTIONS: [Convolution; 49] = [
    Convolution("alexnet/conv1", 3, 96, 227, 11, 4, 0, 1),
    Convolution("alexnet/conv2", 96, 256, 27, 5, 1, 2, 2),
    Convolution("alexnet/conv3", 256, 384, 13, 3, 1, 1, 1),
    Convolution("alexnet/conv4", 384, 384, 13, 3, 1, 1, 2),
    Convolution("alexnet/conv5", 384, 256, 13, 3, 1, 1, 2),
    Convolution("resnet18/conv1", 3, 64, 224, 7, 2, 3, 1),
    Convolution("resnet18/layer1", 64, 64, 56, 3, 1, 1, 1),
    Convolution("resnet18/layer2_first", 64, 128, 56, 3, 2, 1, 1),
    Convolution("resnet18/layer2_skip", 64, 128, 56, 1, 2, 0, 1),
    Convolution("resnet18/layer2", 128, 128, 28, 3, 1, 1, 1),
    Convolution("resnet18/layer3_first", 128, 256, 28, 3, 2, 1, 1),
    Convolution("resnet18/layer3_skip", 128, 256, 28, 1, 2, 0, 1),
    Convolution("resnet18/layer3", 256, 256, 14, 3, 1, 1, 1),
    Convolution("resnet18/layer4_first", 256, 512, 14, 3, 2, 1, 1),
    Convolution("resnet18/layer4_skip", 256, 512, 14, 1, 2, 0, 1),
    Convolution("resnet18/layer4", 512, 512, 7, 3, 1, 1, 1),
    Convolution("squeezenet/conv1", 3, 64, 224, 3, 2, 0, 1),
    Convolution("squeezenet/fire2_squeeze", 64, 16, 55, 1, 1, 0, 1),
    Convolution("squeezenet/fire2_expand1", 16, 64, 55, 1, 1, 0, 1),
    Convolution("squeezenet/fire2_expand3", 16, 64, 55, 3, 1, 1, 1),
    Convolution("squeezenet/fire3_squeeze", 128, 16, 55, 1, 1, 0, 1),
    Convolution("squeezenet/fire4_squeeze", 128, 32, 27, 1, 1, 0, 1),
    Convolution("squeezenet/fire4_expand1", 32, 128, 27, 1, 1, 0, 1),
    Convolution("squeezenet/fire4_expand3", 32, 128, 27, 3, 1, 1, 1),
    Convolution("squeezenet/fire5_squeeze", 256, 32, 27, 1, 1, 0, 1),
    Convolution("squeezenet/fire6_squeeze", 256, 48, 13, 1, 1, 0, 1),
    Convolution("squeezenet/fire6_expand1", 48, 192, 13, 1, 1, 0, 1),
    Convolution("squeezenet/fire6_expand3", 48, 192, 13, 3, 1, 1, 1),
    Convolution("squeezenet/fire7_squeeze", 384, 48, 13, 1, 1, 0, 1),
    Convolution("squeezenet/fire8_squeeze", 384, 64, 13, 1, 1, 0, 1),
    Convolution("squeezenet/fire8_expand1", 64, 256, 13, 1, 1, 0, 1),
    Convolution("squeezenet/fire8_expand3", 64, 256, 13, 3, 1, 1, 1),
    Convolution("squeezenet/fire9_squeeze", 512, 64, 13, 1, 1, 0, 1),
    Convolution("squeezenet/conv10", 512, 1000, 13, 1, 1, 0, 1),
    Convolution("vgg16/conv1_1", 3, 64, 224, 3, 1, 1, 1),
    Convolution("vgg16/conv1_2", 64, 64, 224, 3, 1, 1, 1),
    Convolution("vgg16/conv2_1", 64, 128, 112, 3, 1, 1, 1),
    Convolution("vgg16/conv2_2", 128, 128, 112, 3, 1, 1, 1),
    Convolution("vgg16/conv3_1", 128, 256, 56, 3, 1, 1, 1),
    Convolution("vgg16/conv3_2", 256, 256, 56, 3, 1, 1, 1),
    Convolution("vgg16/conv4_1", 256, 512, 28, 3, 1, 1, 1),
    Convolution("vgg16/conv4_2", 512, 512, 28, 3, 1, 1, 1),
    Convolution("vgg16/conv5", 512, 512, 14, 3, 1, 1, 1),
    Convolution("zfnet/conv1", 3, 96, 224, 7, 2, 1, 1),
    Convolution("zfnet/conv2", 96, 256, 55, 5, 2, 0, 1),
    Convolution("zfnet/conv3", 256, 384, 13, 3, 1, 1, 1),
    Convolution("zfnet/conv4", 384, 384, 13, 3, 1, 1, 1),
    Convolution("zfnet/conv5", 384, 256, 13, 3, 1, 1, 1),
    Convolution("depthwise/3x3", 128, 128, 28, 3, 1, 1, 128),
];

/// The fully connected layers: inputs, outputs.
pub(crate) const LINEAR: [(&str, usize, usize); 5] = [
    ("resnet18/fc", 512, 1000),
    ("vgg16/fc6", 25088, 4096),
    ("vgg16/fc7", 4096, 4096),
    ("vgg16/fc8", 4096, 1000),
    ("zfnet/fc6", 9216, 4096),
];

/// Max poolings: channels, rows and columns, kernel, stride, padding.
pub(crate) const POOLINGS: [(&str, usize, usize, usize, usize, usize); 8] = [
    ("alexnet/pool1", 96, 55, 3, 2, 0),
    ("resnet18/pool1", 64, 112, 3, 2, 1),
    ("squeezenet/pool1", 64, 111, 3, 2, 0),
    ("squeezenet/pool3", 128, 55, 3, 2, 0),
    ("vgg16/pool1", 64, 224, 2, 2, 0),
    ("vgg16/pool5", 512, 14, 2, 2, 0),
    ("zfnet/pool1", 96, 110, 3, 2, 1),
    ("zfnet/pool5", 256, 13, 3, 2, 0),
];
