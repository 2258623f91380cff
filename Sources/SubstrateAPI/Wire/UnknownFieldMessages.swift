package import CProtobufC
package import Protobuf
package import SubstrateModel

extension UnknownFields {
    /// What a message holds that this build does not know.
    package init(_ base: ProtobufCMessage) {
        self.init(
            UnsafeBufferPointer(start: base.unknown_fields, count: Int(base.n_unknown_fields)).map { field in
                Field(
                    number: field.tag, wireType: field.wire_type.rawValue,
                    data: Array(UnsafeBufferPointer(start: field.data, count: field.len)))
            })
    }
}

extension Arena {
    /// Puts the fields back into a message, so that what a newer version wrote survives a read and write by this one.
    package func attach(_ unknown: UnknownFields, to base: inout ProtobufCMessage) {
        guard !unknown.fields.isEmpty else { return }
        base.n_unknown_fields = UInt32(unknown.fields.count)
        base.unknown_fields = array(unknown.fields) { field in
            let data = bytes(field.data)
            return ProtobufCMessageUnknownField(
                tag: field.number, wire_type: ProtobufCWireType(field.wireType), len: data.len, data: data.data)
        }
    }
}
