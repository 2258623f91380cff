/// Which release this is: what `--version` says, and the version of the package.
package enum Version {
    package static let current = "0.1.0"
}
