"""Runs the commands of one page of documentation as a reader would: its blocks of `sh` and `python` from top to bottom in one shell,
against the system that is there. A block that says `sh by=FILE` is run by that file, in which its lines have to be found."""

import os
import re
import subprocess
import sys
import tempfile

LIMIT = 240
# What no line of a block without a language begins with: it would be a command that nobody runs.
PROGRAMS = r"(make|curl|grpcurl|etcdctl|systemctl|ate[a-z-]+|scripts/\S+)"


def blocks(text):
    """Number of the first line, language with remarks, and content of each fenced block."""
    for match in re.finditer(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", text, re.MULTILINE):
        indent, info, content = match.groups()
        content = re.sub(f"^{indent}", "", content, flags=re.MULTILINE)
        yield text.count("\n", 0, match.start()) + 2, info.split(), content


def commands(content):
    lines = (line.split("#")[0].strip() for line in content.replace("\\\n", " ").splitlines())
    return [line for line in lines if line]


def run_elsewhere(command, path):
    """Whether the file has the command: its words in that order, also as strings of a list; words in capitals stand for any."""
    with open(path) as file:
        text = re.sub(r"(?m)^\s*(?:#|//).*$", "", file.read())
    text = re.sub(r'[",\[\]]', " ", text)
    words = [r"\S+" if re.fullmatch(r"[A-Z:]+", word) else re.escape(word) for word in command.split()]
    # The program may be at another place, or be what a function of its name stands for.
    words[0] = r"\S*" + re.escape(os.path.basename(command.split()[0])) + r"\(?"
    return re.search(r"(?<!\S)" + r"\s+".join(words) + r"(?!\S)", text) is not None


def main(page):
    problems, script = [], ["set -euo pipefail"]
    with open(page) as file:
        text = file.read()
    if len(re.findall(r"^\s*(?:```|~~~)", text, re.MULTILINE)) != 2 * len(list(blocks(text))):
        problems.append(f"{page}: a fence that is not understood")
    for line, info, content in blocks(text):
        language, remarks = (info or [""])[0], dict(remark.split("=") for remark in info[1:])
        if "by" in remarks:
            if not commands(content):
                problems.append(f"{page}:{line}: a block of no commands")
            problems += [
                f"{page}:{line}: {remarks['by']} does not run: {command}"
                for command in commands(content) if not run_elsewhere(command, remarks["by"])
            ]
        elif language in ("sh", "python"):
            script.append(f"echo '--- {page}:{line}'")
            script.append(content if language == "sh" else f"/usr/bin/python3 - <<'PYTHON'\n{content}PYTHON")
        elif language not in ("", "yaml", "json", "ini"):
            problems.append(f"{page}:{line}: nobody runs blocks of {language}")
        elif language == "" and re.search(r"^(?:\$ |sudo )?" + PROGRAMS + r"(?= )", content, re.MULTILINE):
            problems.append(f"{page}:{line}: commands that nobody runs")
    if problems:
        sys.exit("\n".join(problems))
    if len(script) == 1:
        return
    programs = os.path.dirname(os.path.realpath(f"/proc/{os.getppid()}/exe"))
    here = os.path.dirname(os.path.abspath(__file__))
    environment = dict(os.environ)
    environment.update(
        # The stand-in for grpcurl comes last.
        PATH=f"{programs}:{environment['PATH']}:{here}",
        ATE_ENDPOINT=environment["ATE_API"], ETCDCTL_ENDPOINTS=environment["ATE_ETCD"], ETCDCTL_API="3",
    )
    if "`make run`" in text:
        # As that does.
        apply = ["atectl", "apply", "-f", environment["ATE_MANIFEST"]]
        subprocess.run(apply, env=environment, check=True, timeout=LIMIT)
    with tempfile.TemporaryDirectory() as directory:
        environment.update(TMPDIR=directory, BACKUPS=directory)
        status = subprocess.run(["bash", "-c", "\n".join(script)], env=environment, timeout=LIMIT).returncode
    if status != 0:
        sys.exit(f"{page}: the commands after the last line above ended with {status}")


if __name__ == "__main__":
    main(sys.argv[1])
