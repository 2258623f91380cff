#pragma once
#include <stddef.h>
#include <stdint.h>

/* A google.protobuf.FileDescriptorSet of the published files. */
const uint8_t *substrate_descriptors(size_t *count);
