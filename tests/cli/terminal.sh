#!/bin/sh
# Terminals and signals: Ctrl-C, no prompt on a terminal, control bytes, final newline.
. "$(dirname "$0")/lib/common.sh"
find_model rwkv7
checks=6
python3 - "$LEAT" "$model" <<'END' || failed=1
import os, pty, select, signal, subprocess, sys, time
leat, model = sys.argv[1:3]
signal.signal(signal.SIGINT, signal.default_int_handler)
bad = 0
no_terminals = False

def check(ok, what, rc=0):
    global bad
    if rc is None: # no terminal to check on
        return
    if not ok:
        bad += 1
        print("FAILED:", what)

def on_terminal(args, stdin_too=True):
    """Runs leat with a terminal as stdout (and stdin); stderr apart. Returns exit status, terminal output, stderr."""
    global no_terminals
    try:
        master, slave = pty.openpty()
    except OSError as why: # a bare chroot or container
        if not no_terminals:
            print("skipped: the checks on terminals:", why)
        no_terminals = True
        return None, b"", b""
    p = subprocess.Popen([leat] + args, stdin=slave if stdin_too else subprocess.DEVNULL, stdout=slave,
                         stderr=subprocess.PIPE)
    os.close(slave)
    data = b""
    while True:
        try:
            chunk = os.read(master, 4096)
        except OSError:
            break
        if not chunk:
            break
        data += chunk
    err = p.stderr.read()
    os.close(master)
    return p.wait(60), data, err

# Ctrl-C while it writes: what was written stays, exit 130
p = subprocess.Popen([leat, "run", model, "-p", "Once", "-n", "-1", "--ignore-eos"], stdin=subprocess.DEVNULL,
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
first = p.stdout.read(1)
p.send_signal(signal.SIGINT)
rest, err = p.communicate(timeout=60)
check(len(first) == 1 and p.returncode == 130, "SIGINT: exit %r" % p.returncode)
check(b"cancelled" in err, "SIGINT: no timings with 'cancelled': %r" % err[-200:])
p = subprocess.Popen([leat, "run", model, "-p", "Once", "-n", "-1", "--ignore-eos"], stdin=subprocess.DEVNULL,
                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
p.stdout.read(1)
p.terminate()
p.communicate(timeout=60)
check(p.returncode == 143, "SIGTERM: exit %r" % p.returncode)

# a terminal to type at but none to answer on: no conversation (chat_tmux.sh has those), and no prompt
try:
    master, slave = pty.openpty()
    p = subprocess.run([leat, "run", model], stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    check(p.returncode == 2 and b"no prompt" in p.stderr and not p.stdout, "no prompt: %r" % p.returncode)
    os.close(master)
    os.close(slave)
except OSError:
    no_terminals = True
rc, data, err = on_terminal(["run", model, "-p", "Once", "-n", "3", "--temp", "0"])
check(rc == 0 and data.endswith(b"\n"), "no final newline on a terminal: %r" % data, rc)
rc, data, err = on_terminal(["logits", model, "-p", "a"])
check(rc == 2 and not data, "binary on a terminal: %r" % rc, rc)

# A control byte that the model writes is shown, not sent: force one by its bias
out = subprocess.run([leat, "tokenize", model, "--ids", "--no-special"], input=b"\x1b", stdout=subprocess.PIPE).stdout
ids = out.split()
if len(ids) == 1:
    args = ["run", model, "-p", "Once", "-n", "2", "--temp", "0", "--logit-bias", ids[0].decode() + "+1000"]
    rc, data, err = on_terminal(args)
    check(rc == 0 and b"\x1b" not in data and rb"\x1b" in data, "escape on a terminal: %r" % data, rc)
    rc, data, err = on_terminal(args + ["--raw-output"])
    check(rc == 0 and b"\x1b" in data, "--raw-output: %r" % data, rc)
    out = subprocess.run([leat] + args + ["-q"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
    check(b"\x1b" in out, "a pipe gets the bytes as they are: %r" % out)
sys.exit(bad != 0)
END
finish
