/** What a form of the text may look like: something to begin with. */

const PERSON = { type: "object", properties: { name: { type: "string" }, age: { type: "integer" } }, required: ["name", "age"] };

/** By the name of a setting. @type {Record<string, any>} */
export const EXAMPLES = {
  json_schema: PERSON,
  regex: "[0-9]{4}-[0-9]{2}-[0-9]{2}",
  grammar: 'root ::= ("yes" | "no") ", because " [a-z ]+ "."',
  structural_tag: { structures: [{ begin: "<person>", schema: PERSON, end: "</person>" }], triggers: ["<person"] },
};
