/// Where something is: a file, what is inside of it, and where in the history of a repository. No key is in it.
package struct ScanPlace: Sendable, Hashable, CustomStringConvertible {
    /// The file, or the folder of the repository.
    package let file: String
    /// Of an object of a repository: the commit that brought it, or else the object.
    package internal(set) var revision: String?
    /// The path of a file in a commit.
    package internal(set) var path: String?
    /// The names in archives, the outermost first.
    package internal(set) var inside: [String] = []

    init(file: String) { self.file = file }

    /// The place of what an archive at this one holds under a name.
    func inside(_ name: String) -> ScanPlace {
        var place = self
        place.inside.append(name)
        return place
    }

    /// `file@revision:path!name in an archive`
    package var description: String {
        var text = file
        if let revision { text += "@" + revision.prefix(12) }
        if let path { text += ":" + path }
        for name in inside { text += "!" + name }
        return text
    }
}
