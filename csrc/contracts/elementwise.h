/* elementwise.h - contracts of elementwise, reduction, movement and softmax kernels; included by cnn.h. */
