/// A template's text, under the name by which templates use each other.
///
/// The build embeds every file `*.mustache` of this target as a constant here and lists it in `all`: `api-key.mustache` is
/// `Template.apiKey`, named `api-key`.
struct Template: Sendable {
    /// The file's name without its extension.
    let name: String
    /// The file's text.
    let text: String

    /// Whether it is of a mail: plain text, in which nothing is escaped.
    var isOfMail: Bool { name.hasPrefix("mail-") }
}
