/// The version of this program, as nodes register it.
public enum KeybearerVersion {
    /// The version of this program.
    public static let current = "0.2.0"
}
