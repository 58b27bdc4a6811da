"""Makes what tests expect of freshly started services: buckets, keys, secrets. Reads services.json, prints it with them.

With `put` it puts an object into a bucket instead, with `upload` a file; with `boto` it calls any method of boto3.
"""

import json
import sys

import boto3
from botocore.config import Config


def client(kind, at, pki, key="test", secret="planted-s3-secret-key"):
    return boto3.client(
        kind, endpoint_url=at["endpoint"], region_name=at["region"], aws_access_key_id=key, aws_secret_access_key=secret,
        verify=f"{pki}/ca.pem", config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3}),
    )  # fmt: skip


def under(encryption):
    return {} if encryption == "none" else {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": encryption}


def put(found, key, encryption, content):
    s3 = client("s3", found["s3"], found["pki"])
    s3.put_object(Bucket="landing", Key=key, Body=content.encode("latin-1"), **under(encryption))


def upload(found, key, encryption, path):
    client("s3", found["s3"], found["pki"]).upload_file(path, "landing", key, ExtraArgs=under(encryption))


def boto(found, at, kind, method, arguments):
    if isinstance(arguments.get("Body"), str):
        arguments["Body"] = arguments["Body"].encode("latin-1")
    answer = getattr(client(kind, found[at], found["pki"]), method)(**arguments)
    answer.pop("ResponseMetadata", None)
    if "Body" in answer:
        answer["Body"] = answer["Body"].read().decode("latin-1")
    json.dump(answer, sys.stdout, default=str)


def main():
    if sys.argv[1:] == ["put"]:
        return put(**json.load(sys.stdin))
    if sys.argv[1:] == ["upload"]:
        return upload(**json.load(sys.stdin))
    if sys.argv[1:] == ["boto"]:
        return boto(**json.load(sys.stdin))
    found = json.load(sys.stdin)
    pki = found["pki"]
    if "aws" in found:
        kms = client("kms", found["aws"], pki)
        found["aws"]["kms_key"] = kms.create_key(Description="column keys")["KeyMetadata"]["Arn"]
        secrets = client("secretsmanager", found["aws"], pki)
        secrets.create_secret(Name="warehouse", SecretString=json.dumps({"password": "planted-postgres-password"}))
    if "kms_states" in found:
        kms = client("kms", found["kms_states"], pki)
        for state in ("enabled", "disabled", "pending"):
            found["kms_states"][state] = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.disable_key(KeyId=found["kms_states"]["disabled"])
        kms.schedule_key_deletion(KeyId=found["kms_states"]["pending"])
    if "s3" in found:
        s3 = client("s3", found["s3"], pki)
        s3.create_bucket(Bucket="landing")
        s3.put_bucket_versioning(Bucket="landing", VersioningConfiguration={"Status": "Enabled"})
        found["s3"]["kms_key"] = found.get("aws", {}).get("kms_key", "0f3c1111-2222-3333-4444-555555555555").rsplit("/", 1)[-1]
    json.dump(found, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
