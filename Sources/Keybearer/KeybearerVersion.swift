/// The version of this program, as nodes register it.
package enum KeybearerVersion {
    /// The version of this program.
    package static let current = "0.2.0"
}
