internal import CGRPC
internal import Glibc

/// Integer settings of a channel or server in the form the core reads; the core copies them.
struct ChannelArguments {
    private let values: [(key: String, value: Int)]

    init(_ values: [(key: String, value: Int)]) { self.values = values }

    func withPointer<Result>(_ body: (UnsafePointer<grpc_channel_args>) -> Result) -> Result {
        var arguments = values.map { key, value in
            var argument = grpc_arg()
            argument.type = GRPC_ARG_INTEGER
            argument.key = strdup(key)
            argument.value.integer = Int32(clamping: value)
            return argument
        }
        defer { for argument in arguments { free(argument.key) } }
        return arguments.withUnsafeMutableBufferPointer { buffer in
            var list = grpc_channel_args(num_args: buffer.count, args: buffer.baseAddress)
            return body(&list)
        }
    }
}

extension Duration {
    var wholeMilliseconds: Int { Int(self / .milliseconds(1)) }
}
