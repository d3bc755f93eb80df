#!/usr/bin/env python3
"""Checks a proof of RailFleet's log with nothing but the log's public key: no server, no log, no library.
    check_proof.py PROOF.json --key NAME+ID+KEY                   an answer of GET /audit/proof/POSITION
    check_proof.py PROOF.json --key NAME+ID+KEY --earlier NOTE    of GET /audit/consistency, and the checkpoint you kept
    check_proof.py RECORD.json --key NAME+ID+KEY                  of GET /compliance/maintenance-record/VEHICLE, entry by entry
Prints what is proved and ends with 0; ends with 1 and says what is wrong. docs/AUDIT.md tells how to read it."""
import argparse, base64, hashlib, json, struct, sys, uuid
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # of Ed25519 (RFC 8032)
D = -121665 * pow(121666, P - 2, P) % P
def b64(text): return base64.b64decode(text, validate=True)
def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def require(holds, otherwise):
    if not holds: raise ValueError(otherwise)
def add(p, q):
    (x1, y1), (x2, y2) = p, q
    k = D * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P
def times(n, p):
    total = (0, 1)
    for bit in bin(n)[2:]: total = add(add(total, total), p if bit == "1" else (0, 1))
    return total
def point(octets):
    y, sign = int.from_bytes(octets, "little") % 2**255, octets[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    require(y < P and x * x % P == square, "a point is not on the curve")
    return (P - x if x & 1 != sign else x), y
def signed_checkpoint(note, vkey):
    """The size and the root in a note (C2SP signed-note, tlog-checkpoint) that the key has signed."""
    name, key_id, key = vkey.strip().split("+", 2)
    key = b64(key)
    require(len(key) == 33 and key[0] == 1 and sha(name.encode(), b"\n", key)[:4].hex() == key_id, "this is no public key")
    text, signatures = note.rsplit("\n\n", 1)
    for dash, signer, signature in (line.split(" ") for line in signatures.splitlines()):
        octets = b64(signature)
        if (dash, signer, octets[:4].hex()) == ("\u2014", name, key_id):
            r, s = octets[4:36], int.from_bytes(octets[36:], "little")
            digest = int.from_bytes(hashlib.sha512(r + key[1:] + text.encode() + b"\n").digest(), "little")
            base, right = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")), add(point(r), times(digest % L, point(key[1:])))
            require(len(octets) == 68 and s < L and times(s, base) == right, "the signature does not fit the checkpoint")
            origin, size, root = text.split("\n")[:3]
            require(origin == name, "the checkpoint is of another log")
            return int(size), b64(root)
    raise ValueError("the checkpoint carries no signature by this key")
def climb(index, last, path, *hashes):
    """From a node to the root (RFC 9162, 2.1.3.2 and 2.1.4.2); all but the last of the hashes take only left siblings."""
    for node in map(b64, path):
        require(last > 0, "the path is too long")
        if index & 1 or index == last:
            hashes = tuple(sha(b"\1", node, below) for below in hashes)
            while index & 1 == 0 and index: index, last = index >> 1, last >> 1
        else: hashes = hashes[:-1] + (sha(b"\1", hashes[-1], node),)
        index, last = index >> 1, last >> 1
    require(last == 0, "the path is too short")
    return hashes
def check_consistency(proof, old_size, old, size, root):
    require((old_size, size) == (proof["old_size"], proof["new_size"]), "the proof is between other checkpoints")
    require(0 < old_size <= size, "the earlier checkpoint is not earlier")
    path, first, last = list(proof["path"]), old_size - 1, size - 1
    begin = old if old_size & (old_size - 1) == 0 or old_size == size else b64(path.pop(0))
    while first & 1 or old_size == size and last: first, last = first >> 1, last >> 1
    require(climb(first, last, path, begin, begin) == (old, root), "the later log does not continue the earlier one")
    return {"proved": f"the first {old_size} events are the beginning of the {size} events"}
def check_event(proof, size, root):
    """What the proved bytes say (docs/format.md); nothing is taken from the readable part of the answer."""
    names, events = {}, []
    for leaf in [*proof["names"], proof]:
        require(leaf["leaf"] is not None, "the record was left out: only its hash is there")
        index, rest = leaf["position"] - 1, b64(leaf["leaf"])
        require(0 <= index < size, "the event is not within the tree")
        require(climb(index, size - 1, leaf["path"], sha(b"\0", rest)) == (root,), f"position {index + 1} is not in the signed tree")
        while rest:
            record, rest = rest[: (length := struct.unpack_from("<I", rest)[0])], rest[length:]
            if record[8] == 2:
                aggregate, number = struct.unpack_from("<HI", record, 10)
                names["stream", number] = aggregate, record[16:-4].decode()
            elif record[8] == 3: names[record[9], struct.unpack_from("<H", record, 10)[0]] = record[12:-4].decode()
            else: events.append(record)
    kind, schema, meta, stream, version, occurred, recorded = struct.unpack_from("<HHHIIqq", event := events[-1], 10)
    aggregate, at = names["stream", stream], 57
    for _ in range(event[56]): at += 1 + event[at]
    return {"position": proof["position"], "aggregate_type": names[0, aggregate[0]], "aggregate_id": aggregate[1], "version": version,
            "event_type": names[1, kind], "schema": schema, "id": str(uuid.UUID(bytes=event[40:56])), "occurred_at_us": occurred,
            "recorded_at_us": recorded, "metadata": event[at : at + meta].decode(), "data": event[at + meta : -4].decode()}
def check(proof, vkey, earlier=None):
    size, root = signed_checkpoint(proof["checkpoint"], vkey)
    if "entries" in proof: return [check_event(entry["proof"], size, root) for entry in proof["entries"]]
    if "old_size" not in proof: return check_event(proof, size, root)
    require(earlier is not None, "the earlier checkpoint is needed: --earlier")
    return check_consistency(proof, *signed_checkpoint(earlier, vkey), size, root)
if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, more in {"proof": {}, "--key": {"required": True}, "--earlier": {}}.items(): arguments.add_argument(name, **more)
    given = arguments.parse_args()
    try:
        proof, note = json.load(open(given.proof, encoding="utf-8")), given.earlier and open(given.earlier, encoding="utf-8").read()
        print(json.dumps(check(proof, given.key, note), ensure_ascii=False, indent=2))
    except (ValueError, KeyError, TypeError, IndexError, struct.error, OSError) as error:
        sys.exit(f"NOT PROVED: {type(error).__name__}: {error}")
