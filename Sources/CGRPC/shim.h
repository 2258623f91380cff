#ifndef SUBSTRATE_CGRPC_SHIM_H
#define SUBSTRATE_CGRPC_SHIM_H

// grpc defines _GNU_SOURCE, which clashes with Swift's own view of glibc unless features.h comes first.
#include <features.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>

// Swift does not import macros that look like functions.
static inline uint8_t *cgrpc_slice_start(grpc_slice *slice) { return GRPC_SLICE_START_PTR(*slice); }
static inline size_t cgrpc_slice_length(const grpc_slice *slice) { return GRPC_SLICE_LENGTH(*slice); }

// The one slice of an uncompressed message, or null when it has several.
static inline grpc_slice *cgrpc_sole_slice(grpc_byte_buffer *buffer) {
    return buffer->type == GRPC_BB_RAW && buffer->data.raw.compression == GRPC_COMPRESS_NONE &&
                   buffer->data.raw.slice_buffer.count == 1
               ? buffer->data.raw.slice_buffer.slices
               : 0;
}

static inline uint32_t cgrpc_propagate_defaults(void) { return GRPC_PROPAGATE_DEFAULTS; }

// Where the core writes what a call received. Swift has no address of a field that outlives an expression, hence the
// functions.
typedef struct cgrpc_inbox {
    grpc_metadata_array initial_metadata;
    grpc_metadata_array trailing_metadata;
    grpc_byte_buffer *message;
    grpc_status_code code;
    grpc_slice details;
} cgrpc_inbox;

static inline grpc_metadata_array *cgrpc_inbox_initial(cgrpc_inbox *inbox) { return &inbox->initial_metadata; }
static inline grpc_metadata_array *cgrpc_inbox_trailing(cgrpc_inbox *inbox) { return &inbox->trailing_metadata; }
static inline grpc_byte_buffer **cgrpc_inbox_message(cgrpc_inbox *inbox) { return &inbox->message; }
static inline grpc_status_code *cgrpc_inbox_code(cgrpc_inbox *inbox) { return &inbox->code; }
static inline grpc_slice *cgrpc_inbox_details(cgrpc_inbox *inbox) { return &inbox->details; }

// What a server learns of a call that came in.
typedef struct cgrpc_incoming {
    grpc_call *call;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;
    grpc_call_details details;
    int cancelled;
} cgrpc_incoming;

static inline grpc_call **cgrpc_incoming_call(cgrpc_incoming *incoming) { return &incoming->call; }
static inline gpr_timespec *cgrpc_incoming_deadline(cgrpc_incoming *incoming) { return &incoming->deadline; }
static inline grpc_metadata_array *cgrpc_incoming_metadata(cgrpc_incoming *incoming) { return &incoming->metadata; }
static inline grpc_byte_buffer **cgrpc_incoming_payload(cgrpc_incoming *incoming) { return &incoming->payload; }
static inline grpc_call_details *cgrpc_incoming_details(cgrpc_incoming *incoming) { return &incoming->details; }
static inline int *cgrpc_incoming_cancelled(cgrpc_incoming *incoming) { return &incoming->cancelled; }

#endif
