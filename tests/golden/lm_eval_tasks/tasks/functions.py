def kept(dataset):
    return dataset.filter(lambda doc: doc["keep"]).map(lambda doc: {"wanted": doc["wanted"] + "."})


def question(doc):
    return doc["given"]


def grade(doc, results):
    (said,) = results
    return {"first_digit": float(said[:1] == doc["wanted"][:1]), "length": len(said)}
