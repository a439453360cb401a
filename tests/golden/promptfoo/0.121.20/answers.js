module.exports = class {
  id() { return 'answers'; }
  async callApi(prompt, context) {
    if (context.vars.country === 'Nowhere') return { error: 'no such country' };
    const answers = { France: 'Paris, of course.', Italy: 'Milan?' };
    return { output: answers[context.vars.country], tokenUsage: { total: 9, prompt: 6, completion: 3 }, cost: 0.0001 };
  }
};
