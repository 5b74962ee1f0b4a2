/** Texts to begin with; each shows something that the others do not. */
export interface Example {
  readonly name: string;
  readonly text: string;
}

const repeated = "The configuration file lists every host, its address and the port that the daemon listens on. ";

export const examples: readonly Example[] = [
  { name: "A sentence twice", text: repeated.repeat(2).trim() },
  {
    name: "A fact and a question",
    text: "The password of the kitchen is silver. The password of the library is copper. The password of the kitchen is",
  },
  {
    name: "A paragraph",
    text: "When the server receives a request, it first looks for a handler that is registered for the path. If there is one, the handler is called with the request and its answer is sent back to the client. Otherwise the server searches the directory of static files, and if nothing is found there either, it returns an error. Every request is written to the log together with the time that it took, so that slow handlers can be found later.",
  },
  { name: "The same word", text: "the ".repeat(40).trim() },
  {
    name: "A list in order",
    text: "one two three four five six seven eight nine ten one two three four five six seven eight nine ten one two three",
  },
];
