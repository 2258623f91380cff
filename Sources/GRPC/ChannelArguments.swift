internal import CGRPC
internal import Glibc

/// Settings of a channel or server in the form the core reads; the core copies them.
struct ChannelArguments {
    enum Value {
        case integer(Int)
        case text(String)
    }

    private var values: [(key: String, value: Value)]

    init(_ values: [(key: String, value: Int)]) { self.values = values.map { ($0.key, .integer($0.value)) } }

    mutating func add(_ key: String, _ text: String) { values.append((key, .text(text))) }

    mutating func add(_ key: String, _ number: Int) { values.append((key, .integer(number))) }

    func withPointer<Result>(_ body: (UnsafePointer<grpc_channel_args>) -> Result) -> Result {
        var arguments = values.map { key, value in
            var argument = grpc_arg()
            argument.key = strdup(key)
            switch value {
            case .integer(let number):
                argument.type = GRPC_ARG_INTEGER
                argument.value.integer = Int32(clamping: number)
            case .text(let text):
                argument.type = GRPC_ARG_STRING
                argument.value.string = strdup(text)
            }
            return argument
        }
        defer {
            for argument in arguments {
                free(argument.key)
                if argument.type == GRPC_ARG_STRING { free(argument.value.string) }
            }
        }
        return arguments.withUnsafeMutableBufferPointer { buffer in
            var list = grpc_channel_args(num_args: buffer.count, args: buffer.baseAddress)
            return body(&list)
        }
    }
}

extension Duration {
    var wholeMilliseconds: Int { Int(self / .milliseconds(1)) }
}
