// SPDX-License-Identifier: MIT OR Apache-2.0
// execve(2) of scripts: the #! line, its one argument, nesting and errors. The interpreter is this program.
#include "system/support/elf_file.h"

namespace {

using elf_file::Folder;
using elf_file::run_errno;
using elf_file::run_status;

// The interpreter is reached by a link, whose name in argv[0] tells main() to check instead of to test.
constexpr const char* kInterpreterName = "interpreter";

int interpret(int argument_count, char** arguments) {
    // Writes the arguments, one a line, to the file named by the last one.
    const int fd = open(arguments[argument_count - 1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    std::string text;
    for (int i = 0; i < argument_count - 1; ++i) {
        text += std::string(arguments[i]) + "\n";
    }
    return write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 33 : 1;
}

std::string read_file(const std::string& path) {
    std::string text(4096, '\0');
    const int fd = open(path.c_str(), O_RDONLY);
    const ssize_t count = read(fd, text.data(), text.size());
    close(fd);
    text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return text;
}

// What the interpreter was given for a script with this first line.
std::string arguments_for(Folder& folder, const std::string& first_line, std::string& script) {
    const std::string out = folder.add("out", "");
    script = folder.add("script", first_line + "\nrest\n");
    CHECK_EXIT(run_status(script, {"a", out}), 33);
    return read_file(out);
}

}  // namespace

TEST(lines) {
    Folder folder;
    const std::string interpreter = folder.link(kInterpreterName, check::program_path);
    std::string script;
    std::string seen = arguments_for(folder, "#!" + interpreter, script);
    CHECK_EQ(seen, interpreter + "\n" + script + "\na\n");
    seen = arguments_for(folder, "#! \t" + interpreter + " \t", script);
    CHECK_EQ(seen, interpreter + "\n" + script + "\na\n");
    // All that follows is one argument.
    seen = arguments_for(folder, "#!" + interpreter + "  -x  b c \t", script);
    CHECK_EQ(seen, interpreter + "\n-x  b c\n" + script + "\na\n");
}

TEST(without_a_newline) {
    Folder folder;
    const std::string interpreter = folder.link(kInterpreterName, check::program_path);
    const std::string out = folder.add("out", "");
    const std::string script = folder.add("script", "#!" + interpreter);
    CHECK_EXIT(run_status(script, {out}), 33);
    CHECK_EQ(read_file(out), interpreter + "\n" + script + "\n");
}

TEST(long_lines) {
    Folder folder;
    const std::string interpreter = folder.link(kInterpreterName, check::program_path);
    // Only 255 characters are looked at: arguments are cut, interpreters are not (Linux 5.0).
    std::string script;
    const std::string seen = arguments_for(folder, "#!" + interpreter + " " + std::string(300, 'x'), script);
    const std::size_t kept = 255 - 2 - interpreter.size() - 1;
    CHECK_EQ(seen, interpreter + "\n" + std::string(kept, 'x') + "\n" + script + "\na\n");
    CHECK_EQ(run_errno(folder.add("script", "#!/" + std::string(300, 'x') + "\n").c_str()), ENOEXEC);
}

TEST(errors) {
    Folder folder;
    CHECK_EQ(run_errno(folder.add("script", "#!\n").c_str()), ENOEXEC);
    CHECK_EQ(run_errno(folder.add("script", "#!   \nx").c_str()), ENOEXEC);
    CHECK_EQ(run_errno(folder.add("script", "#!/missing/interpreter\n").c_str()), ENOENT);
    CHECK_EQ(run_errno(folder.add("script", "#!" + folder.path() + "\n").c_str()), EACCES);
    const std::string plain = folder.add("plain", "text", 0644);
    CHECK_EQ(run_errno(folder.add("script", "#!" + plain + "\n").c_str()), EACCES);
    const std::string text = folder.add("text", "text");
    CHECK_EQ(run_errno(folder.add("script", "#!" + text + "\n").c_str()), ENOEXEC);
    CHECK_EQ(run_errno(folder.add("script", "#!" + folder.path() + "/script\n").c_str()), ELOOP);
}

TEST(nested) {
    Folder folder;
    const std::string interpreter = folder.link(kInterpreterName, check::program_path);
    const std::string out = folder.add("out", "");
    std::string previous = interpreter;
    std::string expected = interpreter + "\n";
    std::vector<std::string> scripts;
    // Five levels are allowed.
    for (int level = 1; level <= 5; ++level) {
        previous = folder.add("level" + std::to_string(level), "#!" + previous + " " + std::to_string(level) + "\n");
        scripts.push_back(previous);
    }
    CHECK_EXIT(run_status(previous, {out}), 33);
    for (int level = 1; level <= 5; ++level) {
        expected += std::to_string(level) + "\n" + scripts[static_cast<std::size_t>(level - 1)] + "\n";
    }
    CHECK_EQ(read_file(out), expected);
    const std::string sixth = folder.add("level6", "#!" + previous + "\n");
    CHECK_EQ(run_errno(sixth.c_str()), ELOOP);
}

TEST(relative_to_the_working_directory) {
    Folder folder;
    folder.link(kInterpreterName, check::program_path);
    const std::string out = folder.add("out", "");
    folder.add("script", "#!./interpreter\n");
    CHECK_CHILD([&] {
        CHECK_OK(chdir(folder.path().c_str()));
        CHECK_EXIT(run_status("./script", {out}), 33);
    });
    CHECK_EQ(read_file(out), std::string("./interpreter\n./script\n"));
}

int main(int argument_count, char** arguments) {
    const std::string_view name(arguments[0]);
    return name.ends_with(kInterpreterName) ? interpret(argument_count, arguments)
                                            : check::run(argument_count, arguments);
}
