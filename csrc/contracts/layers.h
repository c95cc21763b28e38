/* layers.h - contracts of pooling, batch normalization, dropout, optimizer and input kernels; included by cnn.h. */
