internal import Foundation

/// Names the current run of the machine.
package enum BootID {
    /// The kernel's; a constant where the kernel tells none, which makes the state directory's id decide alone.
    package static let current: String = {
        let text = FileManager.default.contents(atPath: "/proc/sys/kernel/random/boot_id")
        return text.map { String(decoding: $0, as: UTF8.self).filter { !$0.isWhitespace } } ?? "unknown"
    }()
}
