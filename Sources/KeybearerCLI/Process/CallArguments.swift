/// The arguments that the program was called with.
enum CallArguments {
    /// The arguments without the program's own name.
    ///
    /// On Linux Swift reads them from `/proc/self/cmdline`. Where `/proc` is not mounted it finds nothing, not even the
    /// program's name: a server would print the help and end with 0.
    ///
    /// - Parameter words: the program's name and its arguments, as the system gives them.
    /// - Throws: a failure when not even the name is there.
    static func read(_ words: [String] = CommandLine.arguments) throws(CommandFailure) -> [String] {
        guard !words.isEmpty else {
            throw CommandFailure(.other, "the arguments cannot be read; is /proc mounted?")
        }
        return Array(words.dropFirst())
    }
}
