"""Everything that can go wrong, as one tree; each error keeps the value that caused it and says the remedy.

HmtQaError
├── FileProblem                 this input cannot be read; the rest of a batch goes on
│   ├── FileMissing             no such file, or no permission
│   ├── UnsupportedFile         no reader for this kind, or binary content
│   ├── EncryptedFile           a password is needed, or the one given is wrong
│   ├── CorruptFile             the reader could not make sense of the bytes
│   ├── ParsingStopped          parsing crashed, or needed more memory or time than a file may take
│   ├── TreeRefused             a zipped folder that leads out of itself, is damaged, or unpacks to too much
│   ├── EmptyFile               zero bytes, or zero pages
│   └── NoTextFound             pages without a single character (a scan)
├── LibraryProblem
│   ├── UnknownDocument         no document with this id
│   ├── UnknownConversation     no conversation with this id
│   ├── ConversationMoved       another process answered in it meanwhile
│   ├── NothingIngested         a question with nothing to ask it of
│   ├── ModelMismatch           the memory was written by another model
│   ├── DamagedMemory           stored bytes do not match their checksum
│   ├── AlreadyIngesting        another live process owns this ingestion
│   ├── UnknownJob              no ingestion with this number
│   ├── UnknownPage             the document has no page of this number
│   ├── NoPicture               a page of this document cannot be shown as a picture
│   ├── JobCancelled            somebody asked this ingestion to stop
│   ├── JobEnded                the ingestion is done or failed: nothing to cancel or to resume
│   ├── LibraryBusy             the database stayed locked
│   ├── LibraryUnusable         not a database of ours, or a newer schema
│   ├── InvalidBundle           an imported file is damaged, hostile, or for another model
│   ├── BundleNotWritten        the file to export to exists, or cannot be written
│   ├── DocumentExists          another document stands at an imported one's place
│   ├── TextNotKept             the places to read were imported without their text
│   └── StorageFull             the disk, or a quota, is full
├── ModelProblem
│   ├── ModelMissing            no checkpoint at this place
│   ├── InvalidCheckpoint       files present, contents wrong
│   ├── ModelTooLarge           the model does not fit the memory of this machine
│   └── BenchmarkRefused        what would be timed does not compute what it should, or not on this machine
├── ClusterUnusable             Ray is not installed, not there, or cannot share the library
├── ReaderProblem               the chosen reader cannot write the answer
│   ├── ReaderUnknown           no reader by this name, or what it needs is missing
│   ├── ReaderUnsuited          it cannot do this: answer from memory alone, or with so short a context
│   └── ReaderFailed            its endpoint is out of reach, refuses, is too slow or makes no sense
├── QuestionProblem
│   ├── EmptyQuestion           nothing but white space
│   └── QuestionTooLong         more tokens than one segment holds
└── ServiceProblem              the service will not do this, or not now
    ├── UnknownModel            OpenAI's form was asked for a model that is no collection here
    ├── AddressRefused          others can reach it and nobody has to log in
    ├── UnknownUser             no user of this name
    ├── UserExists              a user of this name is there already
    ├── UserUnsuited            no name or password to log in with
    ├── CollectionUnsuited      no name for a collection
    ├── NotLoggedIn             nobody is known to ask this
    ├── NotYours                what only the one who runs the library may do
    ├── TooManyLogins           too many wrong passwords in a short time
    ├── TooManyWaiting          as many wait as may
    ├── HungUp                  whoever asked does not wait for the answer any more
    └── TooLarge                a file or a question above its quota
"""

from __future__ import annotations


class HmtQaError(Exception):
    """Base of all errors of this project.

    `subject` is the value that caused it (a path, an id, a size), `remedy` one imperative sentence for the user.
    """

    def __init__(self, message: str, *, subject: object = None, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.subject = subject
        self.remedy = remedy

    def __str__(self) -> str:
        """One line: what happened, then what to do."""
        return " ".join(f"{self.message} {self.remedy}".split())


class FileProblem(HmtQaError):
    """This input cannot be read; the rest of a batch goes on."""


class FileMissing(FileProblem):
    """No such file, or no permission to read it."""


class UnsupportedFile(FileProblem):
    """No reader for this kind of file, or binary content where text was expected."""


class EncryptedFile(FileProblem):
    """A password is needed, or the one given is wrong."""


class CorruptFile(FileProblem):
    """The reader could not make sense of the bytes."""


class ParsingStopped(FileProblem):
    """Parsing crashed, or needed more memory or time than a file may take."""


class TreeRefused(FileProblem):
    """A folder sent as a zip or file by file that leads out of itself, is damaged, or has too much in it."""


class EmptyFile(FileProblem):
    """Zero bytes, or a container with zero pages."""


class NoTextFound(FileProblem):
    """Pages are there but not one character: a scan, most likely."""


class LibraryProblem(HmtQaError):
    """The stored documents and memories cannot do what was asked."""


class UnknownDocument(LibraryProblem):
    """No document with this id."""


class UnknownConversation(LibraryProblem):
    """No conversation with this id."""


class ConversationMoved(LibraryProblem):
    """Another process answered in the conversation meanwhile."""


class NothingIngested(LibraryProblem):
    """A question, and no document to ask it of."""


class ModelMismatch(LibraryProblem):
    """The memory was written by another model than the one asking."""


class DamagedMemory(LibraryProblem):
    """Stored bytes do not match their checksum."""


class AlreadyIngesting(LibraryProblem):
    """Another live process owns this ingestion."""


class UnknownJob(LibraryProblem):
    """No ingestion with this number."""


class UnknownPage(LibraryProblem):
    """The document has no page of this number."""


class NoPicture(LibraryProblem):
    """A page of this document cannot be shown as a picture: it is no PDF, or its file is gone or another by now."""


class JobCancelled(LibraryProblem):
    """Somebody asked this ingestion to stop; what it committed is kept."""


class JobEnded(LibraryProblem):
    """The ingestion is done or failed: there is nothing to cancel or to resume."""


class LibraryBusy(LibraryProblem):
    """The database stayed locked for longer than the busy timeout."""


class LibraryUnusable(LibraryProblem):
    """Not a database of ours, or one with a newer schema."""


class InvalidBundle(LibraryProblem):
    """An imported file is damaged, hostile, of another format or of another model."""


class BundleNotWritten(LibraryProblem):
    """The file to export to exists already, or cannot be written."""


class DocumentExists(LibraryProblem):
    """Another document stands at the place of an imported one."""


class TextNotKept(LibraryProblem):
    """The places that were to be read were imported without their text."""


class StorageFull(LibraryProblem):
    """The disk, or a quota on it, is full."""


class ModelProblem(HmtQaError):
    """The model cannot be loaded."""


class ModelMissing(ModelProblem):
    """No checkpoint at this place."""


class InvalidCheckpoint(ModelProblem):
    """The files are there, their contents are not a checkpoint of ours."""


class ModelTooLarge(ModelProblem):
    """The model does not fit the memory of this machine."""


class BenchmarkRefused(ModelProblem):
    """What would be timed does not compute what it should, or not on this machine."""


class ClusterUnusable(HmtQaError):
    """Ray is not installed, there is no cluster at the address, or its machines cannot share the library."""


class ReaderProblem(HmtQaError):
    """The chosen reader cannot write the answer."""


class ReaderUnknown(ReaderProblem):
    """No reader by this name, or what it needs is missing."""


class ReaderUnsuited(ReaderProblem):
    """It cannot do this: answer from memory alone, or with so short a context."""


class ReaderFailed(ReaderProblem):
    """Its endpoint is out of reach, refuses, is too slow or makes no sense."""


class QuestionProblem(HmtQaError):
    """The question cannot be asked as it is."""


class EmptyQuestion(QuestionProblem):
    """Nothing but white space."""


class QuestionTooLong(QuestionProblem):
    """More tokens than one segment holds."""


class ServiceProblem(HmtQaError):
    """The service will not do this, or not now."""


class UnknownModel(ServiceProblem):
    """OpenAI's form was asked for a model that is no collection here."""


class AddressRefused(ServiceProblem):
    """An address that others can reach, where nobody has to log in."""


class UnknownUser(ServiceProblem):
    """No user of this name."""


class UserExists(ServiceProblem):
    """A user of this name is there already."""


class UserUnsuited(ServiceProblem):
    """This is no name or no password to log in with."""


class CollectionUnsuited(ServiceProblem):
    """This is no name for a collection."""


class NotLoggedIn(ServiceProblem):
    """Nobody is known to ask this."""


class NotYours(ServiceProblem):
    """Only whoever runs the library may do this."""


class TooManyLogins(ServiceProblem):
    """Too many wrong passwords in a short time."""


class TooManyWaiting(ServiceProblem):
    """As many questions or files wait as may."""


class HungUp(ServiceProblem):
    """Whoever asked does not wait for the answer any more."""


class TooLarge(ServiceProblem):
    """A file or a question above its quota."""
