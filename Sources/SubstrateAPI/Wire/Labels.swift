package import CMessages
package import Protobuf

extension Arena {
    /// The labels as a map field wants them, in the order of their keys, so that equal maps are equal bytes.
    package func labels(_ labels: [String: String]) -> (
        Int, UnsafeMutablePointer<UnsafeMutablePointer<Substrate__StringPair>?>?
    ) {
        repeated(labels.sorted { $0.key < $1.key }) { pair, message in
            message.key = bytes(pair.key)
            message.value = bytes(pair.value)
        }
    }
}

/// The labels of a map field; of a key that occurs twice the last value counts, as protobuf has it.
package func readLabels(
    _ pairs: UnsafeMutablePointer<UnsafeMutablePointer<Substrate__StringPair>?>?, count: Int, _ field: String
) throws -> [String: String] {
    let pairs = try map(pairs, count: count) { (try $0.key.text("\(field) key"), try $0.value.text("\(field) value")) }
    return Dictionary(pairs) { $1 }
}
