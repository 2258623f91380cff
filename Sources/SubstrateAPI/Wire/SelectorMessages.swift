internal import CMessages
internal import Protobuf
internal import SubstrateModel

extension Selector.Requirement {
    func fill(_ message: inout Substrate__SelectorRequirement, _ arena: Arena) {
        message.key = arena.bytes(key)
        message.operator_ = self.operator.wire
        (message.n_values, message.values) = arena.repeated(values)
        arena.attach(unknownFields, to: &message.base)
    }

    init(_ message: borrowing Substrate__SelectorRequirement) throws {
        let wire = message.operator_
        guard let known = Operator.allCases.first(where: { $0.wire == wire }) else {
            throw InvalidText(
                field: "worker_expressions operator", reason: "has the unknown value \(wire.rawValue)")
        }
        self.init(
            key: try message.key.text("worker_expressions key"), operator: known,
            values: try texts(message.values, count: message.n_values, "worker_expressions values"))
        unknownFields = UnknownFields(message.base)
    }
}

extension Selector.Requirement.Operator {
    fileprivate var wire: Substrate__SelectorRequirement__Operator {
        switch self {
        case .isIn: SUBSTRATE__SELECTOR_REQUIREMENT__OPERATOR__OPERATOR_IN
        case .notIn: SUBSTRATE__SELECTOR_REQUIREMENT__OPERATOR__OPERATOR_NOT_IN
        case .exists: SUBSTRATE__SELECTOR_REQUIREMENT__OPERATOR__OPERATOR_EXISTS
        case .doesNotExist: SUBSTRATE__SELECTOR_REQUIREMENT__OPERATOR__OPERATOR_DOES_NOT_EXIST
        }
    }
}
