import Foundation

/// Finds repositories by what is in their folders.
enum GitRepository {
    /// Whether a folder has what a repository has: a work tree's `.git`, a bare repository, or a submodule's folder in
    /// `.git/modules`. A broken one counts: what git says about it is a problem.
    static func isRepository(_ folder: RawPath) -> Bool {
        guard folder.appending("objects").isFolder else { return false }
        return folder.appending("HEAD").status(followsLink: false) != nil || folder.appending("refs").isFolder
            || folder.name.elementsEqual(".git".utf8)
    }

    /// The folder that a file `.git` names: of a submodule its own, of a linked work tree the one that it shares.
    static func folder(linkedBy file: RawPath) -> RawPath? {
        guard let text = file.smallFile(), text.starts(with: "gitdir: ".utf8) else { return nil }
        let parent = Array(file.bytes.dropLast(file.name.count))
        let line = Array(text.dropFirst("gitdir: ".utf8.count))
        let folder = path(line, in: RawPath(bytes: parent.isEmpty ? [UInt8(ascii: ".")] : parent))
        guard folder.isFolder else { return nil }
        guard let common = folder.appending("commondir").smallFile() else { return folder.canonical }
        return path(common, in: folder).canonical
    }

    private static func path(_ line: [UInt8], in folder: RawPath) -> RawPath {
        let name = Array(line.prefix { $0 != 10 && $0 != 13 && $0 != 0 })
        return name.first == UInt8(ascii: "/") ? RawPath(bytes: name) : folder.appending(name)
    }

    /// How many commits of a shallow clone have parents that are not here; nil for one that is not shallow.
    static func shallowCommits(of folder: RawPath) -> Int? {
        let lines = folder.appending("shallow").smallFile()?.split(separator: 10).count ?? 0
        return lines > 0 ? lines : nil
    }

    /// Whether a clone left out objects, to fetch them when they are needed.
    static func isPartial(_ folder: RawPath) -> Bool {
        let names = (try? folder.appending("objects").appending("pack").names()) ?? []
        return names.contains { $0.suffix(9).elementsEqual(".promisor".utf8) }
    }
}
