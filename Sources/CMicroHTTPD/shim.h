#include <microhttpd.h>

// Swift does not import variadic functions.
static inline struct MHD_Daemon *cmicrohttpd_start(unsigned int flags, uint16_t port, MHD_AcceptPolicyCallback accept,
                                                   MHD_AccessHandlerCallback handler, void *context,
                                                   struct MHD_OptionItem *options) {
    return MHD_start_daemon(flags, port, accept, context, handler, context, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}
static inline uint16_t cmicrohttpd_port(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}
