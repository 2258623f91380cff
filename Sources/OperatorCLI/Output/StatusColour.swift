/// The colours of words that tell a state. Nothing else is coloured, and nothing is said by colour alone.
enum StatusColour {
    private static let green = "\u{1B}[32m"
    private static let yellow = "\u{1B}[33m"
    private static let red = "\u{1B}[31m"

    /// The escape sequence that begins the colour of a state; nil for one that is nothing to look at.
    static func sequence(for state: String) -> String? {
        switch state {
        case "STATUS_RUNNING", "FREE", "Ready": green
        case "STATUS_RESUMING", "STATUS_SUSPENDING", "STATUS_PAUSING", "DRAINING", "DRAINED": yellow
        case "STATUS_UNSPECIFIED", View<String>.deleted, "Failed": red
        default: nil
        }
    }
}
