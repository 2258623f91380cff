#ifndef SUBSTRATE_COPENSSL_SHIM_H
#define SUBSTRATE_COPENSSL_SHIM_H

#include <openssl/evp.h>

#endif
